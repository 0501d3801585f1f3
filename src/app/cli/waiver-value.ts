/** Who is passed over, as a value for programs. */

import type { Waiver } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { timeText } from "./time-text.ts";

export type WaiverValue = {
  readonly name: string;
  readonly reason: string;
  readonly operator: string;
  /** RFC 3339. */
  readonly until: string;
};

export function waiverValue({ name, reason, operator, until }: Waiver): WaiverValue {
  return { name, reason, operator, until: timeText(until) };
}
