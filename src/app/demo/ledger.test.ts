import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fact } from "./fact.ts";
import { Ledger } from "./ledger.ts";

test("counts a renewal once it is ACKed, and as used once it is seen in use", () => {
  const ledger = ledgerOf([acked("first"), used("first"), acked("second"), acked("third")]);
  assert.deepEqual(ledger.renewals("client"), { acked: 2, used: 0 });
  ledger.take(used("second"));
  assert.deepEqual(ledger.renewals("client"), { acked: 2, used: 1 });
  assert.deepEqual(ledger.renewals("server"), { acked: 0, used: 0 });
});

test("counts neither a repeated ACK, nor that of a bundle, nor what was only used", () => {
  const bundle: Fact = {
    kind: "acked",
    atMs: 3,
    workload: "client",
    secret: "ROOTCA",
    serial: undefined,
  };
  const ledger = ledgerOf([acked("first", 1), acked("first", 2), bundle, used("second")]);
  assert.deepEqual(ledger.renewals("client"), { acked: 0, used: 0 });
  assert.equal(ledger.firstAckedAtMs("client", "first"), 1);
});

test("measures from signing to the first handshake, for the server's renewals only", () => {
  const ledger = ledgerOf([
    signed("first", 10),
    { ...acked("first"), workload: "server" },
    { kind: "presented", atMs: 900, serial: "first" },
    signed("second", 1_000),
    { ...acked("second"), workload: "server" },
    { kind: "presented", atMs: 1_030, serial: "second" },
    { kind: "presented", atMs: 1_040, serial: "second" },
    signed("third", 2_000),
    { ...acked("third"), workload: "server" },
  ]);
  assert.deepEqual(ledger.signToFirstHandshakeMs, [30]);
  assert.deepEqual(ledger.renewals("server"), { acked: 2, used: 1 });
  assert.equal(ledger.signedCount, 3);
});

test("knows whether the control plane is up", () => {
  const ledger = new Ledger();
  const states = (
    [
      { kind: "ready", atMs: 1, address: "127.0.0.1:1" },
      { kind: "killed", atMs: 2, program: "client agent", pid: 1 },
      { kind: "killed", atMs: 3, program: "control plane", pid: 2 },
      { kind: "ready", atMs: 4, address: "127.0.0.1:1" },
      { kind: "lost", atMs: 5, program: "control plane", pid: 3 },
    ] satisfies Fact[]
  ).map((fact) => {
    ledger.take(fact);
    return ledger.isControlPlaneUp;
  });
  assert.deepEqual(states, [true, true, false, true, false]);
});

function ledgerOf(facts: readonly Fact[]): Ledger {
  const ledger = new Ledger();
  for (const fact of facts) ledger.take(fact);
  return ledger;
}

function acked(serial: string, atMs = 0): Fact & { kind: "acked" } {
  return { kind: "acked", atMs, workload: "client", secret: "default", serial };
}

function used(serial: string): Fact {
  return { kind: "used", atMs: 0, workload: "client", serial };
}

function signed(serial: string, atMs: number): Fact {
  return {
    kind: "signed",
    atMs,
    serial,
    spiffeId: "spiffe://td/server",
    notAfterMs: atMs + 30_000,
  };
}
