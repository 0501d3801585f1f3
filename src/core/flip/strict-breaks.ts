/** Whose calls a strict target breaks by configuration, where it is strict already, or no edit of one object could make it so. */

import type { BrokenCall } from "../evidence/callers.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import { brokenCalls } from "./broken-calls.ts";
import { editPlace } from "./edit-place.ts";
import type { PolicyModes } from "./edited-policy.ts";
import { isRefusal } from "./flip-error.ts";
import { editAt, type EditSources } from "./strict-edit.ts";
import type { FlipTarget } from "./target.ts";
import { namespaceOf, viewWith } from "./view-with.ts";

/** As if it were permissive, and were to become strict now: what a flip under way goes by, too. None where others decide for it. */
export function strictBreaks(target: FlipTarget, sources: EditSources): readonly BrokenCall[] {
  const place = editPlace(namespaceOf(sources.view, target.namespace), target);
  if (isRefusal(place)) return [];
  const edited = (mode: PeerMode) =>
    editAt(place, target, sources, (modes) => modesAs(mode, modes, target)).after.object;
  const lax = edited("PERMISSIVE");
  return brokenCalls(viewWith(sources.view, lax.ref, lax), edited("STRICT"), target);
}

/**
 * Of a flip under way: by what it writes, and, since whoever is held back takes plaintext until his stage, by what that stage takes away,
 * whatever other objects have come to say.
 * @param before the flip's object, undefined for none; @param after as it is now, or is to be
 */
export function flipBreaks(
  target: FlipTarget,
  {
    before,
    after,
  }: { readonly before: PeerAuthentication | undefined; readonly after: PeerAuthentication },
  sources: EditSources,
): readonly BrokenCall[] {
  const view = viewWith(sources.view, after.ref, before);
  return [...brokenCalls(view, after, target), ...strictBreaks(target, sources)];
}

/** A port that is disabled is somebody's decision, and stays. */
function modesAs(
  mode: PeerMode,
  { mode: whole, ports }: PolicyModes,
  target: FlipTarget,
): PolicyModes {
  if (target.ports.length > 0) {
    const own = target.ports.map((port) => [port, mode] as const);
    return { mode: whole, ports: new Map([...ports, ...own]) };
  }
  const byPort = Array.from(ports, ([port, each]) => {
    return [port, each === "DISABLE" || target.name === "" ? each : mode] as const;
  });
  return { mode, ports: new Map(byPort) };
}
