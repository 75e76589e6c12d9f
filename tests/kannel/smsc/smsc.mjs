// A message centre: SMPP 3.4 on a free loopback port, told what to do by JSON lines on stdin, and
// saying by JSON lines on stdout what it saw. Its first line names the port.
import { createInterface } from "node:readline";
import smpp from "smpp";

const INTERNATIONAL = { ton: 1, npi: 1 };
const AT_ONCE = 10; // deliver_sm without an answer yet, as message centres keep it

let session = null;
let submitted = 0;
let refusals = [];
let reference = 0;
const queue = [];
let open = 0;

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = smpp.createServer((bound) => {
  bound.on("error", () => bound.destroy());
  bound.on("close", () => {
    if (session === bound) session = null;
  });
  bound.on("enquire_link", (pdu) => bound.send(pdu.response()));
  bound.on("unbind", (pdu) => bound.send(pdu.response(), () => bound.close()));
  bound.on("bind_transceiver", (pdu) => {
    session = bound;
    open = 0;
    bound.send(pdu.response({ system_id: "smsc" }));
    say({ event: "bound", as: pdu.system_id });
    pump();
  });
  bound.on("submit_sm", (pdu) => submit(bound, pdu));
});

function submit(bound, pdu) {
  const status = refusals.shift() ?? 0;
  if (status) {
    bound.send(pdu.response({ command_status: status }));
    say({ event: "refused", to: pdu.destination_addr, status });
    return;
  }
  const id = `${++submitted}`;
  const { message, udh } = pdu.short_message;
  bound.send(pdu.response({ message_id: id }));
  say({
    event: "submit",
    id,
    from: pdu.source_addr,
    to: pdu.destination_addr,
    text: Buffer.isBuffer(message) ? message.toString("hex") : message,
    udh: udh ? Buffer.from(udh[0] ?? udh).toString("hex") : "",
    coding: pdu.data_coding,
    receipt: (pdu.registered_delivery & 3) > 0,
  });
}

// As many deliver_sm as the text takes: one, or parts with a header that numbers them.
function parts({ from, to, text }) {
  const gsm = smpp.encodings.ASCII.match(text);
  const [whole, part] = gsm ? [160, 153] : [70, 67];
  const coding = gsm ? 0 : 8;
  const codec = gsm ? smpp.encodings.ASCII : smpp.encodings.UCS2;
  const pieces = [];
  const size = text.length <= whole ? whole : part;
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  const ref = ++reference & 0xff;
  return pieces.map((piece, n) => {
    const header = Buffer.from([5, 0, 3, ref, pieces.length, n + 1]);
    const message = codec.encode(piece);
    const split = pieces.length > 1;
    return deliver(from, to, {
      esm_class: split ? 0x40 : 0,
      data_coding: coding,
      short_message: split ? Buffer.concat([header, message]) : message,
    });
  });
}

function deliver(from, to, more) {
  return {
    source_addr: from.replace("+", ""),
    source_addr_ton: INTERNATIONAL.ton,
    source_addr_npi: INTERNATIONAL.npi,
    destination_addr: to.replace("+", ""),
    dest_addr_ton: INTERNATIONAL.ton,
    dest_addr_npi: INTERNATIONAL.npi,
    ...more,
  };
}

// A delivery receipt as appendix B of the specification writes it.
function receipt({ id, from, to, stat, err = "000" }) {
  const done = stat === "DELIVRD" ? "001" : "000";
  const text =
    `id:${id} sub:001 dlvrd:${done} submit date:2601010000 done date:2601010001 ` +
    `stat:${stat} err:${err} text:`;
  return deliver(from, to, { esm_class: 0x04, data_coding: 0, short_message: Buffer.from(text) });
}

function pump() {
  while (session && queue.length && open < AT_ONCE) {
    open += 1;
    const pdu = queue.shift();
    session.deliver_sm(pdu, (answer) => {
      open -= 1;
      // What Kannel did not take is brought again, as a message centre does.
      if (answer.command_status) queue.unshift(pdu);
      else say({ event: "delivered", from: pdu.source_addr });
      pump();
    });
  }
}

const orders = {
  says: (order) => queue.push(...parts(order)),
  receipt: (order) => queue.push(receipt(order)),
  refuse: (order) => {
    refusals = order.statuses;
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const order = JSON.parse(line);
    orders[order.order](order);
    pump();
  })
  .on("close", () => process.exit(0));

server.listen(0, "127.0.0.1", () => say({ event: "listening", port: server.address().port }));
