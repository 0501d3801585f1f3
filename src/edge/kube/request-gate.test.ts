import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { KubeError } from "./kube-error.ts";
import { RequestGate } from "./request-gate.ts";

const never = new AbortController().signal;

test("lets in so many at once, lets so many wait in their order, and refuses the rest", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ inFlightMax: fc.integer({ min: 1, max: 4 }), waitingMax: fc.nat(4) }),
      fc.array(fc.constantFrom("comes", "leaves", "gives up"), { maxLength: 30 }),
      async (limits, steps) => {
        const gate = new RequestGate(limits);
        const [inside, line]: [string[], string[]] = [[], []];
        const entered: string[] = [];
        const expected: string[] = [];
        const leave = new Map<string, () => void>();
        const stop = new Map<string, AbortController>();
        const ended: Promise<unknown>[] = [];
        for (const [at, step] of steps.entries()) {
          const name = `${at}`;
          const [first] = inside;
          const last = line.at(-1);
          if (step === "comes") {
            const { promise, resolve } = Promise.withResolvers<void>();
            const control = new AbortController();
            leave.set(name, resolve);
            stop.set(name, control);
            const passed = gate.pass(control.signal, async () => {
              entered.push(name);
              await promise;
            });
            const code = passed.then(
              () => "left",
              (error: unknown) => (error instanceof KubeError ? error.code : "gave up"),
            );
            ended.push(passed.catch(() => {}));
            if (inside.length < limits.inFlightMax) {
              inside.push(name);
              expected.push(name);
            } else if (line.length < limits.waitingMax) line.push(name);
            else assert.equal(await code, "kube-busy");
          } else if (step === "leaves" && first !== undefined) {
            inside.shift();
            leave.get(first)?.();
            const next = line.splice(0, 1);
            inside.push(...next);
            expected.push(...next);
          } else if (step === "gives up" && last !== undefined) {
            line.pop();
            stop.get(last)?.abort();
          }
          await new Promise(setImmediate);
          assert.deepEqual([gate.inFlight, gate.waiting], [inside.length, line.length]);
          assert.deepEqual(entered, expected);
        }
        for (const resolve of leave.values()) resolve();
        await Promise.all(ended);
        assert.deepEqual([gate.inFlight, gate.waiting], [0, 0]);
      },
    ),
    { numRuns: 50 },
  );
});

test("gives the place back whatever happens to the request", async () => {
  const gate = new RequestGate({ inFlightMax: 1, waitingMax: 0 });
  await assert.rejects(
    gate.pass(never, async () => Promise.reject(new Error("x"))),
    /x/,
  );
  await assert.rejects(
    gate.pass(AbortSignal.abort(new Error("y")), async () => {}),
    /y/,
  );
  assert.equal(await gate.pass(never, async () => gate.inFlight), 1);
  assert.equal(gate.inFlight, 0);
});
