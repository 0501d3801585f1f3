/** What an operator's target is, how it would be made strict, and whether that would break anybody. */

import type { BrokenCall } from "../../../core/evidence/callers.ts";
import { isRefusal, type FlipRefusal } from "../../../core/flip/flip-error.ts";
import { decidedByOthers } from "../../../core/flip/other-decisions.ts";
import { resolveTarget } from "../../../core/flip/resolve-target.ts";
import { strictBreaks } from "../../../core/flip/strict-breaks.ts";
import { planStrict, type EditSources, type StrictEdit } from "../../../core/flip/strict-edit.ts";
import { targetPorts } from "../../../core/flip/target-modes.ts";
import { parseTargetText } from "../../../core/flip/target-text.ts";
import { membersOf, type FlipTarget } from "../../../core/flip/target.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import { FlipRefusedError, refuse } from "./flip-refusals.ts";
import { judge, type JudgeDependencies, type Judgement } from "./judgement.ts";
import type { TargetSurroundings } from "./surroundings.ts";
import {
  isDecidedByOthers,
  othersOf,
  surroundingsOf,
  type SurroundingsDependencies,
} from "./target-surroundings.ts";

export interface JudgedPlan {
  readonly target: FlipTarget;
  readonly plan: StrictEdit | FlipRefusal;
  readonly judgement: Judgement;
}

const plansMax = 64;

export interface TargetJudgeDependencies extends JudgeDependencies, SurroundingsDependencies {
  readonly configuration: JudgeDependencies["configuration"];
}

export class TargetJudge {
  readonly #dependencies: TargetJudgeDependencies;
  readonly #plans = new Map<string, StrictEdit | FlipRefusal>();
  readonly #broken = new Map<string, readonly BrokenCall[]>();
  #knownSequence = 0;

  constructor(dependencies: TargetJudgeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @throws FlipError */
  resolve(text: string): FlipTarget {
    const { namespace } = parseTargetText(text);
    return resolveTarget(text, this.#dependencies.configuration.viewOf(namespace));
  }

  /** What is no part of it, as it is now. */
  othersOf(target: FlipTarget): TargetSurroundings["others"] {
    return othersOf(this.#dependencies, target);
  }

  /** Nobody is left of a namespace for whom its own object decides. */
  isDecidedByOthers(target: FlipTarget): boolean {
    return isDecidedByOthers(this.#dependencies, target);
  }

  /** Of one configuration made once: somebody may look each second. @param isOurs whether the server is to write the object */
  planOf(target: FlipTarget, isOurs = true): StrictEdit | FlipRefusal {
    this.#forget();
    const key = `${isOurs} ${target.text}`;
    const plan = this.#plans.get(key) ?? this.#planNow(target, isOurs);
    this.#plans.set(key, plan);
    return plan;
  }

  #planNow(target: FlipTarget, isOurs: boolean): StrictEdit | FlipRefusal {
    return planStrict(target, this.#sources(isOurs));
  }

  /** Of the same configuration once, as plans are. */
  #brokenNow(target: FlipTarget): readonly BrokenCall[] {
    this.#forget();
    const broken = this.#broken.get(target.text) ?? strictBreaks(target, this.#sources(true));
    this.#broken.set(target.text, broken);
    return broken;
  }

  #sources(isOurs: boolean): EditSources {
    const { configuration, nowMs } = this.#dependencies;
    return {
      view: configuration.whole(),
      manifestOf: (ref) => configuration.manifestOf(ref) ?? {},
      createdMs: isOurs ? Math.floor(nowMs()) : undefined,
    };
  }

  /** What was made of another configuration, or too much. */
  #forget(): void {
    const { sequence } = this.#dependencies.configuration;
    const isFull = this.#plans.size >= plansMax || this.#broken.size >= plansMax;
    if (sequence !== this.#knownSequence || isFull) {
      this.#plans.clear();
      this.#broken.clear();
    }
    this.#knownSequence = sequence;
  }

  /** Of ports that cannot be made strict by one object, the verdict is of all of them. @throws FlipRefusedError */
  async judge(
    target: FlipTarget,
    plan: StrictEdit | FlipRefusal,
    lookBackMs: number,
  ): Promise<JudgedPlan> {
    const { configuration, waivers } = this.#dependencies;
    const ports = isRefusal(plan) ? { ports: target.ports, exceptPorts: [] } : plan;
    const brokenCalls = isRefusal(plan) ? this.#brokenNow(target) : plan.brokenCalls;
    const asked = { target, ports, lookBackMs, brokenCalls };
    const { verdict, nowMs, names } = await this.#known(judge(this.#dependencies, asked));
    const view = configuration.viewOf(target.namespace);
    const { flips, others, holds, isMoving } = surroundingsOf(this.#dependencies, target);
    const takes = targetPorts(view, target, holds);
    const withoutProxy = membersOf(view, target)
      .members.filter(({ name, named }) => named.length > 0 && !names.has(name))
      .map(({ name }) => name);
    const isNobodys = verdict.coverage.members === 0 && withoutProxy.length === 0;
    if (isNobodys && others.length > 0) refuse(decidedByOthers(target, others));
    const judgement = {
      target,
      nowMs,
      verdict,
      waivers: waivers.of(target),
      ports: takes,
      isStrictAlready: !isMoving && takes.every(({ decision }) => decision.mode === "strict"),
      withoutProxy,
      flips,
      others,
    };
    return { target, plan, judgement };
  }

  async #known<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof EvidenceStoreError)) throw error;
      const message = `nothing is known of who calls: ${error.message}`;
      const hint = error.hint ?? "the server's log says why";
      throw new FlipRefusedError("evidence-unavailable", message, { hint });
    }
  }
}
