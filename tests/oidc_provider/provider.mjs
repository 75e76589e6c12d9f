// An OpenID provider for tests: a certified implementation with its own sign-in page, which takes any password.
// The first line of stdin is {client_id, client_secret, redirect_uri, accounts: {login: claims}}; it answers with its
// issuer on a line, and ends with its stdin.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin });
lines.once("close", () => process.exit(0));
lines.once("line", (line) => {
  const given = JSON.parse(line);
  const server = createServer();
  server.listen(0, "127.0.0.1", () => {
    // Another site than 127.0.0.1, in a browser's eyes.
    const issuer = `http://localhost:${server.address().port}`;
    server.on("request", new Provider(issuer, configuration(given)).callback());
    console.log(`ISSUER ${issuer}`);
  });
});

function configuration({ client_id, client_secret, redirect_uri, accounts }) {
  return {
    clients: [
      {
        client_id,
        ...(client_secret ? { client_secret } : { token_endpoint_auth_method: "none" }),
        redirect_uris: [redirect_uri],
      },
    ],
    claims: { openid: ["sub"], profile: ["preferred_username", "name"] },
    cookies: { keys: ["a key of tests"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  };
}
