import { afterEach, expect, test } from "vitest";
import { Op } from "../src/wire";
import { Scene, type Tab } from "./scene";

let scene: Scene;

afterEach(() => {
  for (const { store } of scene.tabs) store.close();
});

const subscriptions = ({ server }: Tab) =>
  server.received.filter(([op]) => op === Op.SUB).flatMap((frame) => frame[2] as unknown[][]).filter(([id]) => id === "sales").length;

async function turnedAway(): Promise<Tab> {
  scene = new Scene();
  const tab = await scene.tab({}, false);
  tab.server.deaf.add("sales");
  await scene.flow();
  return tab;
}

test("an inbox of mine that has not heard of me yet is asked again until it has", async () => {
  const tab = await turnedAway();
  expect(subscriptions(tab)).toBe(1);
  await scene.pass(3000);
  expect(subscriptions(tab)).toBe(4);
  tab.server.deaf.clear();
  await scene.pass(1000);
  scene.sales.receive("sales.c1", "Hi");
  await scene.flow();
  expect(tab.store.conversation("sales.c1").peek()?.row.preview).toBe("Hi");
  await scene.pass(3000);
  expect(subscriptions(tab)).toBe(5);
});

test("one that is mine no more is not asked again", async () => {
  const tab = await turnedAway();
  tab.server.socket?.say([Op.ORG, "inbox_gone", { id: "sales" }]);
  await scene.pass(3000);
  expect(subscriptions(tab)).toBe(1);
});
