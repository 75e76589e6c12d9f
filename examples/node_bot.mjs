// A bot in another language: all that it knows of the server stands in docs/protocol.md.
//
//   BATONBOX_TOKEN=... node node_bot.mjs      (Node 22 or newer, and nothing else)
//
// It takes what waits, answers it and marks it as done. When the connection breaks it goes on where
// it was: events by its positions, commands by their ids, so that nothing is missed or done twice.

import { createHash } from 'node:crypto';

const URL = (process.env.BATONBOX_URL ?? 'http://127.0.0.1:8080').replace(/^http/, 'ws');
const TOKEN = process.env.BATONBOX_TOKEN ?? '';

const HELLO = 0, CMD = 1, SUB = 2, PONG = 6, PAGE = 7;
const WELCOME = 16, OK = 17, ERR = 18, SNAP = 19, EV = 20, RESET = 23, GOAWAY = 24, PING = 25;
const UNSUBD = 27, ORG = 29;
const RETRY_HELPS = new Set([100, 111, 130, 131]);
const SECOND = 1000, HOUR = 3600 * SECOND;

let socket = null; // the one that is signed in, or was
let opening = null; // the one that is to replace it
let failures = 0;
let stopping = false;
let me = '';
let limits = {};
let nextId = 1;
const positions = new Map(); // inbox -> [epoch, seq, tip] of the last event applied
const requests = new Map(); // id -> one that is not answered yet, in order
const turns = new Map(); // conversation -> the end of what is done for it

// What the bot does.

async function answer(row) {
  const { own_tok } = await command('assign', row);
  const text = `Thank you for "${row.preview}". We will call you.`;
  await command('reply', row, { own_tok, text });
  await command('done', row, { own_tok, seen: row.in_seq });
}

function customerWaits(row) {
  if (row.status !== 'unassigned' && row.assignee !== me) return; // somebody has it
  const before = turns.get(row.id) ?? Promise.resolve();
  const turn = before.then(() => answer(row)).catch((error) => console.log(row.id, error.message));
  turns.set(row.id, turn);
  turn.then(() => turns.get(row.id) === turn && turns.delete(row.id));
}

async function whoWaits(inbox, rows, next) {
  for (const row of rows) if (row.waiting_since) customerWaits(row);
  if (!next) return;
  try {
    const page = await request(Infinity, PAGE, inbox, 'open', next, 200);
    await whoWaits(inbox, page.rows, page.next);
  } catch (error) {
    console.log(`cannot read all of ${inbox}: ${error.message}`);
  }
}

// Requests.

function command(name, row, args = {}) {
  // The same in every run for the same message: a second one has no effect.
  const cid = createHash('sha256').update(`${row.id} ${row.in_seq} ${name}`).digest('hex');
  return request(name === 'reply' ? 12 * HOUR : 60 * SECOND, CMD, name, { conv: row.id, cid, ...args });
}

function request(resentFor, op, ...fields) {
  return new Promise((resolve, reject) => {
    const frame = [op, nextId++, ...fields];
    requests.set(frame[1], { frame, resolve, reject, resentFor, sent: false, firstSent: 0 });
    sendRequests();
  });
}

function sendRequests() {
  const room = limits.commands_in_flight ?? 1;
  for (const each of [...requests.values()].slice(0, room)) {
    if (each.sent || socket?.readyState !== WebSocket.OPEN) continue;
    if (each.firstSent && Date.now() - each.firstSent > each.resentFor) {
      requests.delete(each.frame[1]);
      each.reject(new Error(`nobody knows what became of ${each.frame[2]}`));
      continue;
    }
    each.sent = true;
    each.firstSent ||= Date.now();
    send(socket, each.frame);
  }
}

function answered(id, settle) {
  const known = requests.get(id);
  if (!known) return; // of a subscription, or answered before
  requests.delete(id);
  settle(known);
  sendRequests();
}

function refused(id, code, message, retryMs) {
  const known = requests.get(id);
  if (known && RETRY_HELPS.has(code)) {
    setTimeout(() => { known.sent = false; sendRequests(); }, retryMs ?? SECOND);
  } else {
    answered(id, ({ reject }) => reject(new Error(message)));
  }
}

// Frames.

const on = {
  [WELCOME](from, conn, user, pingS, given) {
    const before = socket;
    [socket, opening, failures, me, limits] = [from, null, 0, user, given];
    from.patience = 2 * pingS * SECOND;
    for (const each of requests.values()) each.sent = false;
    sendRequests();
    if (before && before !== from) before.close(1000);
    console.log(`signed in as ${me}`);
  },
  [ORG](from, kind, data) {
    if (kind === 'state') subscribe(from, data.inboxes.map((inbox) => inbox.id));
    if (kind === 'inbox' && !positions.has(data.id)) subscribe(from, [data.id]);
    if (kind === 'inbox_gone') positions.delete(data.id);
  },
  [SNAP](from, inbox, epoch, seq, tip, counts, marks, rows, next) {
    positions.set(inbox, [epoch, seq, tip]);
    console.log(`${inbox} from ${seq} on`);
    whoWaits(inbox, rows, next);
  },
  [EV](from, inbox, seq, meta, body, tip) {
    const [epoch, have] = positions.get(inbox) ?? [];
    if (have === undefined || seq <= have) return; // a SNAP is under way, or known
    if (seq > have + 1) {
      positions.delete(inbox);
      subscribe(from, [inbox]);
      return;
    }
    positions.set(inbox, [epoch, seq, tip]);
    if (meta.type === 'received' && !meta.reason) customerWaits(meta.row);
  },
  [RESET](from, inbox, reason) {
    positions.delete(inbox);
    console.log(`${inbox} begins anew: ${reason}`);
  },
  [UNSUBD](from, inbox, code) {
    positions.delete(inbox);
    console.log(`${inbox} is not to be had: error ${code}`);
  },
  [OK]: (from, id, result) => answered(id, ({ resolve }) => resolve(result)),
  [ERR]: (from, id, code, slug, message, retryMs) => refused(id, code, message, retryMs),
  [PING]: (from) => send(from, [PONG, [...positions].map(([inbox, [, seq]]) => [inbox, seq])]),
  [GOAWAY]: (from, afterMs) => setTimeout(open, afterMs),
};

function subscribe(to, inboxes) {
  if (!inboxes.length) return;
  send(to, [SUB, nextId++, inboxes.map((id) => [id, 'list', ...(positions.get(id) ?? [])])]);
}

// The connection.

function open() {
  if (stopping || opening) return;
  const made = new WebSocket(`${URL}/v1/ws`, 'batonbox.v1.json');
  opening = made;
  made.patience = 10 * SECOND;
  heard(made);
  made.onopen = () => send(made, [HELLO, TOKEN, 'node_bot/1']);
  made.onmessage = ({ data }) => {
    heard(made);
    for (const line of data.split('\n')) {
      const [op, ...fields] = JSON.parse(line);
      on[op]?.(made, ...fields);
    }
  };
  made.onclose = ({ code, reason }) => closed(made, code, reason);
}

function send(to, frame) {
  if (to.readyState === WebSocket.OPEN) to.send(JSON.stringify(frame));
}

function heard(from) {
  clearTimeout(from.silence);
  from.silence = setTimeout(() => {
    closed(from, 1006, 'nothing heard');
    from.close();
  }, from.patience);
}

function closed(which, code, reason) {
  clearTimeout(which.silence);
  if (stopping) process.exit(0);
  if (which !== socket && which !== opening) return; // it has been replaced
  if (which === opening) opening = null;
  if (which === socket) socket = null;
  if (code >= 4100 && code < 4500) {
    console.error(`the server has refused us (${code}): ${reason || 'see docs/protocol.md'}`);
    process.exit(1);
  }
  if (socket || opening) return;
  const longest = Math.min((limits.reconnect_ms ?? 200) * 2 ** failures++, 20 * SECOND);
  console.log(`no connection (${code})`);
  setTimeout(open, Math.random() * longest);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopping = true;
    if (socket) socket.close(1000);
    else process.exit(0);
  });
}

if (!TOKEN) {
  console.error('Set BATONBOX_TOKEN: batonbox-server token USER makes one.');
  process.exit(1);
}
open();
