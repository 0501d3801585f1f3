/**
 * Whose calls a change of a PeerAuthentication would break, before it is made: of those whose ports it makes STRICT, by the same judge as
 * `mtls check` and `mtls flip`. Namespace by namespace, and no further than somebody is in the way often enough.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { JudgedPart } from "../../../../core/kube/guard/admission-decision.ts";
import { knownText } from "../../../../core/kube/guard/known-text.ts";
import type { PendingPeers, RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import {
  peersAround,
  selectorsOf,
  stricterParts,
  type PeerChange,
  type StricterPart,
} from "../../../../core/kube/guard/stricter-ports.ts";
import type { BrokenCall } from "../../../../core/evidence/callers.ts";
import type { Verdict } from "../../../../core/evidence/verdict.ts";
import { Holds, type Hold } from "../../../../core/policy/holds.ts";
import type { MeshView } from "../../../../core/policy/mesh-view.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import { nameKey, type ResourceName } from "../../../../core/resources/resource.ts";
import { judge, type JudgeDependencies } from "../../flips/judgement.ts";
import { brokenCallsOf } from "./guard-broken-calls.ts";
import { concernedWorkloads, orNothing } from "./guard-workloads.ts";

export interface GuardJudgeDependencies extends JudgeDependencies {
  /** Of the flips under way. */
  readonly holds: () => readonly Hold[];
  /** Of all proxies that are known, also where no object names them. */
  readonly namespacesOfProxies: () => Iterable<string>;
  readonly lookBackMs: () => number;
  /** Undefined where nothing is asked before it is made. */
  readonly recent?: Pick<RecentChanges, "over"> | undefined;
}

export interface JudgedParts {
  readonly parts: readonly JudgedPart[];
  /** Why there may be more; "" where there are none. */
  readonly cut: string;
  /** Whose ports become strict, safe or not. */
  readonly namespaces: ReadonlySet<string>;
}

/** Beyond these nothing is looked at: the answer is the same. */
const badMax = 4;

export class GuardJudge {
  readonly #dependencies: GuardJudgeDependencies;

  constructor(dependencies: GuardJudgeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param signal ends it @throws the reason of the signal */
  async judge(change: PeerChange, signal: AbortSignal): Promise<JudgedParts> {
    const { configuration, questions, holds, lookBackMs, nowMs, recent } = this.#dependencies;
    const view = configuration.whole();
    const { rootNamespace } = view.mesh.config;
    const held = new Holds(holds());
    const peers = Map.groupBy(view.objects.peers, ({ ref }) => ref.namespace);
    const selectors = selectorsOf(change, rootNamespace);
    const sinceMs = Math.floor(nowMs()) - lookBackMs();
    const judged: JudgedPart[] = [];
    const namespaces = new Set<string>();
    let cut = "";
    const brokenOf = brokenCallsOf(configuration, change);
    for (const namespace of this.#namespacesOf(change, view)) {
      signal.throwIfAborted();
      const concerned = { namespace, selectors, sinceMs };
      const { workloads, isCut } = await concernedWorkloads(questions, view, concerned);
      const places = new Set([namespace, rootNamespace]);
      const its = [...places].flatMap((each) => peers.get(each) ?? []);
      const isAbout = (name: ResourceName): boolean =>
        places.has(name.namespace) && nameKey(name) !== nameKey(change.name);
      // What was let in just now may be stored or not: it is judged for both.
      const soon = recent?.over(its, isAbout, performance.now()) ?? nothingSoon(its);
      const arounds = soon.variants.map((each) => peersAround(change, each, rootNamespace, held));
      if (arounds.some(({ saysStrict }) => saysStrict)) {
        if (soon.isCut) cut = "too many changes were let in just now: try again";
        if (isCut) cut = "the evidence of who is there cannot be read: portcullis status";
      }
      const parts: StricterPart[] = [];
      for (const each of arounds) {
        parts.push(...stricterParts(change, each, workloads));
        if (arounds.length > 1) await nextTurn();
      }
      for (const part of merged(parts)) {
        namespaces.add(namespace);
        judged.push(await this.#judgePart(part, view, brokenOf(part)));
        if (judged.filter(({ kind }) => kind !== "safe").length >= badMax) {
          return { parts: judged, cut: "so many are in the way already", namespaces };
        }
        // Each may take a tenth of a second: others have their turn in between.
        await nextTurn();
        signal.throwIfAborted();
      }
    }
    return { parts: judged, cut, namespaces };
  }

  #namespacesOf({ name }: PeerChange, view: MeshView): Iterable<string> {
    if (name.namespace !== view.mesh.config.rootNamespace) return [name.namespace];
    const known = view.groups.map(({ namespace }) => namespace);
    return new Set([...known, ...this.#dependencies.namespacesOfProxies()].toSorted());
  }

  async #judgePart(
    { target, ports, names }: StricterPart,
    view: MeshView,
    calls: readonly BrokenCall[],
  ): Promise<JudgedPart> {
    const text = knownText(view, target);
    const part = { text: text ?? target.text, isNew: text === undefined };
    const lookBackMs = this.#dependencies.lookBackMs();
    // By a name, so that the members of a namespace are told apart by what the change does to them, and not by what decides now.
    const named = { ...target, text: part.text, name: target.name || target.namespace };
    const isStrict = (name: string): boolean => !names.has(name);
    const asked = { target: named, ports, lookBackMs, brokenCalls: calls, isStrict };
    const answer = await orNothing(judge(this.#dependencies, asked));
    if (answer === undefined) return { ...part, kind: "unknown", names: [] };
    const { kind, waivedNames: waived } = answer.verdict;
    return { ...part, kind, names: inTheWay(answer.verdict), waived };
  }
}

function nothingSoon(peers: readonly PeerAuthentication[]): PendingPeers {
  return { variants: [peers], isCut: false };
}

/** Of several ways in which it may come about: all whose ports may be. */
function merged(parts: readonly StricterPart[]): Iterable<StricterPart> {
  const found = new Map<string, StricterPart>();
  for (const part of parts) {
    const key = JSON.stringify([part.target, part.ports]);
    const names = part.names.union(found.get(key)?.names ?? part.names);
    found.set(key, { ...part, names });
  }
  return found.values();
}

/** As waivers name them; of a silent one with what is missing. */
function inTheWay({ kind, callers, silent }: Verdict): readonly string[] {
  if (kind === "safe") return [];
  const names =
    kind === "unsafe"
      ? callers.filter(({ isWaived }) => !isWaived).map(({ name }) => name)
      : silent.filter(({ isWaived }) => !isWaived).map(({ name, reason }) => `${name} (${reason})`);
  return [...new Set(names)];
}
