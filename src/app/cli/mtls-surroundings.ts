/** What is said of a target besides its verdict: flips that are under way there, and what of a namespace other objects decide. */

import { refWords } from "../../core/resources/resource.ts";
import type { FlipUnderWay, OtherDecision } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { nameValue, type NameValue } from "./mtls-status-value.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

export type OtherValue = {
  /** To be checked and flipped by itself. */
  readonly target: string;
  readonly object: NameValue;
  /** disable, permissive, strict, mixed */
  readonly mode: string;
  /** Some of them. */
  readonly workloads: readonly string[];
  /** Of all. */
  readonly count: number;
};

export type FlipUnderWayValue = {
  readonly id: number;
  readonly target: string;
  readonly state: string;
  /** Workloads that refuse plaintext, of all. */
  readonly strict: number;
  readonly workloads: number;
  readonly object: NameValue;
  readonly awaitsObject: boolean;
  readonly detail: string;
};

export function otherValue({ target, object, mode, workloads, count }: OtherDecision): OtherValue {
  return { target, object: nameValue(object), mode, workloads, count };
}

export function underWayValue(flip: FlipUnderWay): FlipUnderWayValue {
  const { id, target, state, strict, workloads, object, awaitsObject, detail } = flip;
  const counts = { strict, workloads };
  return {
    id: Number(id),
    target,
    state,
    ...counts,
    object: nameValue(object),
    awaitsObject,
    detail,
  };
}

type Server = Pick<ServerTarget, "flagText">;

const namedMax = 5;

/** `2 workloads are no part of it: payments/api is decided by PeerAuthentication payments/api (permissive)` */
export function othersNote(others: readonly OtherValue[]): string {
  if (others.length === 0) return "";
  const names = new Set(others.flatMap(({ workloads }) => workloads));
  const isWhole = others.every(({ workloads, count }) => workloads.length === count);
  const count = isWhole ? names.size : others.reduce((sum, each) => sum + each.count, 0);
  const whose = others.map(({ target, object, mode }) => {
    return `${target} is decided by ${objectText(object)} (${mode})`;
  });
  const are = count === 1 ? "1 workload is" : `${count} workloads are`;
  return `${are} no part of it: ${firstOf(whose, namedMax)}`;
}

function objectText({ kind, namespace, name }: NameValue): string {
  return refWords({ kind: kind ?? "", namespace: namespace ?? "", name: name ?? "" });
}

export function othersNext(others: readonly OtherValue[], server: Server): readonly NextValue[] {
  return others.slice(0, namedMax).map(({ target }) => {
    return { command: commandOf(server, "mtls check", [target]), why: `check ${target} by itself` };
  });
}

interface Decided {
  readonly target: string;
  readonly decidedByOthers: readonly OtherValue[];
}

/** What other objects decide, and do not make strict. */
export function notStrict({ decidedByOthers }: Decided): readonly OtherValue[] {
  return decidedByOthers.filter(({ mode }) => mode !== "strict");
}

/** `payments is strict`, or but for whom: never of all of it where it is not. */
export function strictWords(decided: Decided): string {
  const left = notStrict(decided).map(({ target }) => target);
  const but = left.length === 0 ? "" : ` but for ${left.length}: ${firstOf(left, namedMax)}`;
  return `${decided.target} is strict${but}`;
}

/** In the place of a flip, which would be refused. */
export function followNext(
  flips: readonly FlipUnderWayValue[],
  server: Server,
): readonly NextValue[] {
  return flips.slice(0, namedMax).map(({ target }) => {
    return { command: commandOf(server, "mtls flip", [target]), why: "follow it" };
  });
}
