/** Why somebody's evidence is missing, in words. */

import type { SilentReason } from "../../../core/evidence/silent.ts";

export const silentWords: Readonly<Record<SilentReason, string>> = {
  nobody: "the target has no proxy that could tell who calls",
  "too-young": "has not been there for all of the look-back",
  "set-aside":
    "what was known of before was set aside: evidence.db could not be read, and the server's log says why",
  "never-reported": "has told nothing of who calls it",
  "no-listener": "does not listen there: what comes to that port does not pass its proxy",
  gap: "has not told of all of the time",
  late: "tells no more",
  away: "its agent is away: nobody tells who calls it now",
  "envoy-away":
    "its agent tells, and its Envoy has no stream with it: nobody tells who calls it now",
  unheard: "was not heard since the server's start",
  lost: "has seen connections without mTLS of which it has not told",
  "unnamed-open": "has open connections without mTLS of which nobody knows whose they are",
};
