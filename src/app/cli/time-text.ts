/** Times of a server's answers, as values have them. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { formatTimestamp } from "./format.ts";

/** RFC 3339. Empty for none, and for 1970, too: a state of an older version has no time. */
export function timeText(timestamp: Timestamp | undefined): string {
  const ms = timestamp === undefined ? 0 : timestampMs(timestamp);
  return ms === 0 ? "" : formatTimestamp(ms);
}
