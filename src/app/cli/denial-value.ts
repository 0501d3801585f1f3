/** A denial as a value for programs, and as a line for people. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Denial } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatRelative, formatTimestamp } from "./format.ts";

export type DenialValue = {
  readonly number: number;
  /** A SPIFFE ID, or a serial in hex. */
  readonly target: string;
  readonly reason: string;
  readonly operator: string;
  readonly createdAt: string;
  /** Empty for one that does not end. */
  readonly until: string;
};

export function denialValue(denial: Denial): DenialValue {
  const { sequence, target, reason, operator, createdAt, until } = denial;
  return {
    number: Number(sequence),
    target,
    reason,
    operator,
    createdAt: text(createdAt),
    until: text(until),
  };
}

/** `in 3h`, or `never`. */
export function endOf({ until }: DenialValue, nowMs: number): string {
  return until === "" ? "never" : formatRelative(Date.parse(until), nowMs);
}

function text(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "" : formatTimestamp(timestampMs(timestamp));
}
