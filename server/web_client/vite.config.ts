import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../batonbox_server/web",
    emptyOutDir: true,
    target: "es2022",
    // The policy of the pages forbids data: scripts and inline styles: everything is a file.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
    // One file that outlives releases, half a kilobyte smaller than the pieces it would fall into;
    // and one of what both the first page and most later parts take, for the same reason.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "preact", test: /node_modules.@?preact/ },
            { name: "common", test: /src.ui.(context|format|icons)\.tsx?$/ },
          ],
        },
      },
    },
  },
});
