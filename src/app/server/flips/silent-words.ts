/** Why somebody's evidence is missing, in words. */

import type { SilentReason } from "../../../core/evidence/silent.ts";

const podGone = (which: string): string =>
  `${which} is gone, and no node has said that it ended: what ran there may run on until its certificates end`;

export const silentWords: Readonly<Record<SilentReason, string>> = {
  nobody: "the target has no proxy that could tell who calls",
  "too-young": "has not been there for all of the look-back",
  "set-aside":
    "what was known of before was set aside: evidence.db could not be read, and the server's log says why",
  "never-reported": "has told nothing of who called it within the look-back",
  "no-listener": "does not listen there: what comes to that port does not pass its proxy",
  gap: "has not told of all of the time",
  late: "tells no more",
  away: "its agent is away: nobody tells who calls it now",
  "envoy-away":
    "its agent tells, and its Envoy has no stream with it: nobody tells who calls it now",
  unheard: "was not heard since the server's start",
  "pod-gone": podGone("its pod"),
  "earlier-pod": podGone("an earlier pod of this name"),
  lost: "has seen connections without mTLS of which it has not told",
  "unnamed-open": "has open connections without mTLS of which nobody knows whose they are",
};
