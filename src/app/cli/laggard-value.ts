/** Whom a rotation waits for, as a value for programs. Times are RFC 3339, empty where there is none. */

import type { Laggard } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { timeText } from "./time-text.ts";

export type LaggardValue = {
  readonly kind: string;
  /** What a waiver names. */
  readonly name: string;
  readonly identity: string;
  readonly reason: string;
  readonly detail: string;
  readonly endsAt: string;
};

export function laggardValue(laggard: Laggard): LaggardValue {
  const { kind, name, spiffeId, reason, detail, endsAt } = laggard;
  return { kind, name, identity: spiffeId, reason, detail, endsAt: timeText(endsAt) };
}
