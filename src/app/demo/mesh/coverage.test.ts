import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage } from "./coverage.ts";

const names = ["a", "b", "c"];

/** As if each held what it is said to hold. */
function play(coverage: Coverage, calls: number, issuerOf: (name: string) => string): void {
  for (let call = 0; call < calls; call++) {
    const pair = coverage.next(0.5);
    const [callerIssuer, calleeIssuer] = [issuerOf(pair.caller), issuerOf(pair.callee)];
    coverage.add(pair, { callerSerial: "1", callerIssuer, calleeIssuer });
  }
}

test("calls every ordered pair before it calls one twice", () => {
  const coverage = new Coverage(names);
  play(coverage, 6, () => "CN=old");
  assert.deepEqual(coverage.seen, { "1/1": 6 });
});

test("calls each again as soon as one of the two holds another certificate", () => {
  const coverage = new Coverage(names);
  play(coverage, 6, () => "CN=old");
  const half = (name: string): string => (name === "a" ? "CN=new" : "CN=old");
  coverage.add(
    { caller: "a", callee: "b" },
    { callerSerial: "2", callerIssuer: "CN=new", calleeIssuer: "CN=old" },
  );
  play(coverage, 3, half);
  assert.deepEqual(coverage.seen, { "1/1": 6, "1/2": 2, "2/1": 2 });
  assert.deepEqual(coverage.holders, { 1: 2, 2: 1 });
});

test("goes wherever chance leads when everything has been seen", () => {
  const coverage = new Coverage(names);
  play(coverage, 6, () => "CN=old");
  assert.deepEqual(coverage.next(0), { caller: "a", callee: "b" });
  assert.deepEqual(coverage.next(0.99), { caller: "c", callee: "b" });
  assert.deepEqual(coverage.any(0.99), { caller: "c", callee: "b" });
});
