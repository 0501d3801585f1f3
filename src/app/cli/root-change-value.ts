/** What came of a command of a rotation, as a value for programs. Commands in texts can be pasted. */

import type {
  ChangeRootResponse,
  RootChange,
  RootRefusal,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { laggardValue, timeText, type LaggardValue } from "./laggard-value.ts";
import { pasteable, type RootTarget } from "./root-target.ts";

export type DoneValue = {
  readonly lines: readonly string[];
  readonly next: string;
  /** PEM; empty but for an offline root. */
  readonly csr: string;
  readonly epoch: number;
};

export type RefusedValue = {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
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
  target: RootTarget,
): ChangeValue {
  if (result.case === "done") return { dryRun, done: doneValue(result.value, target) };
  if (result.case === "refused") return { dryRun, refused: refusedValue(result.value, target) };
  return {
    dryRun,
    refused: {
      code: "answer-empty",
      message: "the server's answer says neither that it was done nor that it was refused",
      hint: pasteable(target, "portcullis root status"),
      lagging: 0,
      laggards: [],
      opensAt: "",
    },
  };
}

function doneValue({ lines, next, csr, epoch }: RootChange, target: RootTarget): DoneValue {
  return { lines, next: pasteable(target, next), csr, epoch: Number(epoch) };
}

function refusedValue(refused: RootRefusal, target: RootTarget): RefusedValue {
  const { code, message, hint, lagging, laggards, opensAt } = refused;
  return {
    code,
    message,
    hint: pasteable(target, hint),
    lagging: Number(lagging),
    laggards: laggards.map(laggardValue),
    opensAt: timeText(opensAt),
  };
}
