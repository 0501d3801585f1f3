import assert from "node:assert/strict";
import { afterEach, beforeEach, test, mock } from "node:test";
import { PolicyTalks } from "./policy-talks.ts";

const [one, other] = [{}, {}];
let talks: PolicyTalks;
let silences: number;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  talks = new PolicyTalks(2_000);
  silences = 0;
});
afterEach(() => mock.timers.reset());

const wait = () => talks.wait(() => void (silences += 1));

test("nobody is waited for once a stream could not be opened, was lost or was replaced, until the next has begun", () => {
  talks.ended(one);
  assert.equal(wait(), undefined);
  talks.began(one);
  assert.notEqual(wait(), undefined);
  talks.began(other);
  talks.ended(one);
  assert.notEqual(wait(), undefined);
  talks.ended(other);
  assert.equal(wait(), undefined);
});

test("after the start the first stream is waited for once, and not for ever", () => {
  assert.notEqual(wait(), undefined);
  mock.timers.tick(1_999);
  assert.equal(silences, 0);
  mock.timers.tick(1);
  assert.equal(silences, 1);
  assert.equal(wait(), undefined);
});

test("who was heard is waited for again though it was silent once; and whoever stops waiting hears nothing", () => {
  talks.began(one);
  wait()?.();
  mock.timers.tick(2_000);
  assert.equal(silences, 0);
  wait();
  mock.timers.tick(2_000);
  assert.equal(silences, 1);
  assert.notEqual(wait(), undefined);
});
