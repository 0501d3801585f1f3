/** The verdict that a flip under way waits for: of the workloads that are not strict yet, by evidence first, and by configuration. */

import type { BrokenCall } from "../../../core/evidence/callers.ts";
import type { FlipVerdict } from "../../../core/flip/flip-view.ts";
import { flipBreaks } from "../../../core/flip/strict-breaks.ts";
import type { EditSources } from "../../../core/flip/strict-edit.ts";
import { stagesOf, type Flip } from "../../../core/flip/flip.ts";
import type { PeerAuthentication } from "../../../core/resources/peer-authentication.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import { readManifest } from "../policy/resources/read-manifest.ts";
import { judge, type JudgeDependencies } from "./judgement.ts";

interface KnownCalls {
  readonly sequence: number;
  readonly calls: readonly BrokenCall[];
}

/** Of one flip. */
export class FlipVerdicts {
  readonly #dependencies: JudgeDependencies;
  /** Of one configuration made once: it may take a tenth of a second. */
  #known: KnownCalls | undefined;
  #last: { readonly stages: number; readonly verdict: FlipVerdict } | undefined;

  constructor(dependencies: JudgeDependencies) {
    this.#dependencies = dependencies;
  }

  /** The last one, as long as it is about those who are not strict now. */
  last({ opened }: Flip): FlipVerdict | undefined {
    return this.#last?.stages === opened.length ? this.#last.verdict : undefined;
  }

  /** Where nothing is recorded, it is unknown. */
  async of(flip: Flip): Promise<FlipVerdict> {
    const verdict = await this.#judge(flip);
    this.#last = { stages: flip.opened.length, verdict };
    return verdict;
  }

  async #judge(flip: Flip): Promise<FlipVerdict> {
    const { target, ports, exceptPorts, lookBackMs } = flip;
    const stageOf = stagesOf(flip);
    const isStrict = (workload: string): boolean => stageOf(workload) !== undefined;
    const asked = { target, ports: { ports, exceptPorts }, lookBackMs, brokenCalls: [], isStrict };
    try {
      const { verdict, isNobody } = await judge(this.#dependencies, asked);
      if (isNobody && verdict.coverage.members === 0) return { kind: "nobody", names: [] };
      const { kind, callers, silent } = verdict;
      if (kind === "safe") return this.#byConfiguration(flip, isNobody ? "nobody" : "safe");
      const inTheWay = kind === "unsafe" ? callers : silent;
      const names = inTheWay.filter(({ isWaived }) => !isWaived).map(({ name }) => name);
      return { kind, names: [...new Set(names)] };
    } catch (error) {
      if (error instanceof EvidenceStoreError) return { kind: "unknown", names: [] };
      throw error;
    }
  }

  #byConfiguration(flip: Flip, otherwise: "safe" | "nobody"): FlipVerdict {
    const waived = this.#dependencies.waivers.namesOf(flip.target);
    const broken = this.#broken(flip).filter(({ client }) => !waived.has(client));
    const names = [...new Set(broken.map(({ client }) => client))];
    if (names.length === 0) return { kind: otherwise, names };
    return { kind: "unsafe", names, isTold: true };
  }

  #broken(flip: Flip): readonly BrokenCall[] {
    const { configuration } = this.#dependencies;
    const { sequence } = configuration;
    // Who comes and goes counts, too: a new endpoint may be one that its callers send plaintext.
    if (this.#known?.sequence === sequence) return this.#known.calls;
    const { ref, beforeJson, afterJson } = flip.edit;
    const before = beforeJson === undefined ? undefined : policyOf(beforeJson);
    const now = configuration.find(ref)?.object;
    const after = now?.kind === "PeerAuthentication" ? now.object : policyOf(afterJson);
    const manifestOf: EditSources["manifestOf"] = (each) => configuration.manifestOf(each) ?? {};
    const sources = { view: configuration.whole(), manifestOf, createdMs: undefined };
    const calls = after === undefined ? [] : flipBreaks(flip.target, { before, after }, sources);
    this.#known = { sequence, calls };
    return calls;
  }
}

/** @throws ResourceChangeError */
function policyOf(json: string): PeerAuthentication | undefined {
  const { object } = readManifest(json, "");
  return object.kind === "PeerAuthentication" ? object.object : undefined;
}
