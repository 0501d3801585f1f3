/** Whom a rotation waits for, and who is passed over, as values for programs. Times are RFC 3339, empty where there is none. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Laggard, Waiver } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatTimestamp } from "./format.ts";

export type LaggardValue = {
  readonly kind: string;
  /** What a waiver names. */
  readonly name: string;
  readonly identity: string;
  readonly reason: string;
  readonly detail: string;
  readonly endsAt: string;
};

export type WaiverValue = {
  readonly name: string;
  readonly reason: string;
  readonly operator: string;
  readonly until: string;
};

export function laggardValue(laggard: Laggard): LaggardValue {
  const { kind, name, spiffeId, reason, detail, endsAt } = laggard;
  return { kind, name, identity: spiffeId, reason, detail, endsAt: timeText(endsAt) };
}

export function waiverValue({ name, reason, operator, until }: Waiver): WaiverValue {
  return { name, reason, operator, until: timeText(until) };
}

/** Empty for 1970, too: a state of an older version has no time. */
export function timeText(timestamp: Timestamp | undefined): string {
  const ms = timestamp === undefined ? 0 : timestampMs(timestamp);
  return ms === 0 ? "" : formatTimestamp(ms);
}
