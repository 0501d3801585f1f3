/** A flip of five workloads, and what may be known of them, with what a test does not care about filled in. */

import { newFlip, type Flip, type NewFlip } from "../../src/core/flip/flip.ts";
import type { FlipView, MemberState, RefusedCall } from "../../src/core/flip/flip-view.ts";
import { nextFlip } from "../../src/core/flip/flip-machine.ts";
import { parseStages } from "../../src/core/flip/stages.ts";

export const flipWorkloads: readonly string[] = ["a", "b", "c", "d", "e"].map(
  (each) => `shop/api-${each}`,
);

export function flipOf(more: Partial<NewFlip> = {}): Flip {
  return newFlip({
    id: 7,
    target: {
      text: "shop/api",
      namespace: "shop",
      name: "api",
      selector: { app: "api" },
      ports: [],
    },
    operator: "ada",
    startedMs: 1_000,
    lookBackMs: 60_000,
    stages: parseStages("1,40%,all"),
    revertWindowMs: 600_000,
    revertOnRefused: 2,
    ports: [],
    exceptPorts: [],
    edit: {
      ref: { kind: "PeerAuthentication", namespace: "shop", name: "api" },
      beforeJson: undefined,
      afterJson: '{"kind":"PeerAuthentication"}',
      isOurs: true,
    },
    ...more,
  });
}

export function memberOf(name: string, more: Partial<MemberState> = {}): MemberState {
  return {
    name,
    stage: "in-force",
    isConnected: true,
    draining: 0,
    evidenceUntilMs: Number.MAX_SAFE_INTEGER,
    hasGap: false,
    lost: 0,
    isWaived: false,
    ...more,
  };
}

/** All is well, and the object is written. */
export function viewOf(more: Partial<FlipView> = {}): FlipView {
  return {
    workloads: flipWorkloads.map((name) => memberOf(name)),
    object: "after",
    overruledBy: [],
    absentSinceMs: undefined,
    evidence: "known",
    lookedSinceMs: 0,
    verdict: { kind: "safe", names: [] },
    safeSinceMs: undefined,
    refused: [],
    waivedUntil: new Map(),
    ...more,
  };
}

export function refusedOf(name: string, more: Partial<RefusedCall> = {}): RefusedCall {
  return {
    member: "shop/api-a",
    port: 8080,
    kind: "plaintext",
    holder: { kind: "workload", name, isMeshed: false },
    firstMs: 50_000,
    lastMs: 50_000,
    ...more,
  };
}

/** A call of the mesh that fails. */
export function failedOf(name: string, more: Partial<RefusedCall> = {}): RefusedCall {
  return refusedOf(name, {
    kind: "mtls",
    holder: { kind: "workload", name, isMeshed: true },
    ...more,
  });
}

/** Until nothing more is to be done at that time. */
export function settleFlip(flip: Flip, view: FlipView, nowMs: number): Flip {
  const next = nextFlip(flip, view, nowMs);
  return next === undefined ? flip : settleFlip(next, view, nowMs);
}

/** The first stage is in force at 10 s, and its evidence has not come yet. */
export function firstStage(more: Partial<NewFlip> = {}): Flip {
  return settleFlip(
    flipOf(more),
    viewOf({ workloads: withAll({ evidenceUntilMs: 10_000 }) }),
    10_000,
  );
}

export function allOpen(more: Partial<NewFlip> = {}): Flip {
  return settleFlip(flipOf(more), viewOf(), 20_000);
}

export function withAll(more: Partial<MemberState>): readonly MemberState[] {
  return flipWorkloads.map((name) => memberOf(name, more));
}

export function withFirst(more: Partial<MemberState>): readonly MemberState[] {
  return flipWorkloads.map((name, at) => memberOf(name, at === 0 ? more : {}));
}

export function withLast(more: Partial<MemberState>): readonly MemberState[] {
  return flipWorkloads.map((name, at) => memberOf(name, at === 4 ? more : {}));
}
