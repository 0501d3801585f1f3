/** What came of a command of a rotation, as a value for programs. Whatever refuses, server or verb, has the same shape. */

import type {
  ChangeRootResponse,
  RootChange,
  RootRefusal,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { laggardValue, type LaggardValue } from "./laggard-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { timeText } from "./time-text.ts";

export type DoneValue = {
  readonly lines: readonly string[];
  readonly next: readonly NextValue[];
  /** PEM; empty but for an offline root. */
  readonly csr: string;
  readonly epoch: number;
};

export type RefusedValue = {
  readonly code: string;
  readonly message: string;
  readonly next: readonly NextValue[];
  readonly lagging: number;
  readonly laggards: readonly LaggardValue[];
  readonly opensAt: string;
};

export type ChangeValue =
  | { readonly dryRun: boolean; readonly done: DoneValue }
  | { readonly dryRun: boolean; readonly refused: RefusedValue };

export function changeValue(
  { result }: ChangeRootResponse,
  dryRun: boolean,
  target: ServerTarget,
): ChangeValue {
  if (result.case === "done") return { dryRun, done: doneValue(result.value, target) };
  if (result.case === "refused") return { dryRun, refused: refusedValue(result.value, target) };
  const message = "the server's answer says neither that it was done nor that it was refused";
  const next = nextOf(target, "portcullis root status");
  return { dryRun, refused: refusal("answer-empty", message, next) };
}

/** Of a verb. @param laggards whom it is about */
export function refusal(
  code: string,
  message: string,
  next: readonly NextValue[],
  laggards: readonly LaggardValue[] = [],
): RefusedValue {
  return { code, message, next, lagging: laggards.length, laggards, opensAt: "" };
}

/** With a command to go on with, where it has none. */
export function withNext(refused: RefusedValue, next: NextValue): RefusedValue {
  if (refused.next.some(({ command }) => command !== "")) return refused;
  return { ...refused, next: [...refused.next, next] };
}

function doneValue({ lines, next, csr, epoch }: RootChange, target: ServerTarget): DoneValue {
  return { lines, next: nextOf(target, next), csr, epoch: Number(epoch) };
}

export function refusedValue(refused: RootRefusal, target: ServerTarget): RefusedValue {
  const { code, message, hint, lagging, laggards, opensAt } = refused;
  return {
    code,
    message,
    next: nextOf(target, hint),
    lagging: Number(lagging),
    laggards: laggards.map(laggardValue),
    opensAt: timeText(opensAt),
  };
}
