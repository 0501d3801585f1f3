/** What a server knows of its cluster, and how far that is behind. */

import { critical, orOk, warning, type Said } from "./finding.ts";

export interface WatchFact {
  /** Such as `pods`. */
  readonly resource: string;
  /** Undefined: it has never been filled. */
  readonly staleMs: number | undefined;
  /** The API server does not know the resource. */
  readonly isAbsent: boolean;
  readonly unreadable: number;
  /** "" while all is well. */
  readonly failure: string;
  readonly hint: string;
}

export interface WatchFacts {
  readonly watches: readonly WatchFact[];
  /** Why watches that are silent cannot be proven current; undefined while they can. */
  readonly liveness: { readonly detail: string; readonly hint: string } | undefined;
  readonly staleMaxMs: number;
  /** How tokens are checked now, and as it is set. */
  readonly tokenCheck: string;
  readonly tokenCheckConfigured: string;
}

/** Without these it is not known who exists. */
const vital: ReadonlySet<string> = new Set(["serviceaccounts", "pods", "namespaces"]);

export function checkWatches(facts: WatchFacts): readonly Said[] {
  const { watches, liveness, staleMaxMs, tokenCheck, tokenCheckConfigured } = facts;
  const behindHint = liveness?.hint ?? rights;
  const found = watches.flatMap(({ resource, staleMs, isAbsent, unreadable, failure, hint }) => {
    const said = vital.has(resource) ? critical : warning;
    const each: Said[] = [];
    if (failure !== "")
      each.push(said(`the watch of ${resource} fails: ${failure}`, hint || rights));
    else if (isAbsent && vital.has(resource)) {
      each.push(critical(`the API server does not know ${resource}`, "kubectl api-resources"));
    } else if (!isAbsent && (staleMs === undefined || staleMs > staleMaxMs)) {
      const behind =
        staleMs === undefined ? "has never been filled" : `is ${secondsOf(staleMs)} behind`;
      each.push(said(`the watch of ${resource} ${behind}`, behindHint));
    }
    if (unreadable > 0) {
      const finding = `${unreadable} ${resource} could not be read: what was read last is in force`;
      each.push(warning(finding, "portcullis validate"));
    }
    return each;
  });
  if (tokenCheck !== tokenCheckConfigured) {
    const finding = `tokens are checked by ${tokenCheck}, and not by ${tokenCheckConfigured}`;
    const hint = liveness?.hint ?? "watches are behind: is the API server reached?";
    found.push(warning(finding, hint));
  }
  if (liveness !== undefined) found.unshift(warning(liveness.detail, liveness.hint));
  return orOk(found, `${watches.length} watches are current; tokens are checked by ${tokenCheck}`);
}

const rights = "is the API server reached, and may the server read them? portcullis status";

function secondsOf(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
