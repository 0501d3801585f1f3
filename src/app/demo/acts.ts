/** Plays the acts that are asked for, one after the other, each on a stage of its own. */

import { findEnvoy } from "../../edge/envoy/binary.ts";
import { playTraffic, type DemoWorld } from "./demo.ts";
import { Display } from "./display.ts";
import type { ActNumber, DemoOptions } from "./options.ts";
import { painter } from "./paint.ts";
import { playRoots } from "./rotation/act.ts";
import {
  formatRotationSummary,
  unmetOfRotation,
  type RotationSummary,
} from "./rotation/summary.ts";
import { unmetConditions, type Summary } from "./summary.ts";
import { rotationIntroduction } from "./texts.ts";

export interface ActResult {
  readonly act: ActNumber;
  /** What does not hold; empty if the act has shown what it promises. */
  readonly unmet: readonly string[];
  readonly summary: Summary | RotationSummary;
}

/** @throws DemoError and whatever keeps one from being played; the signal's reason when it aborts */
export async function playActs(
  options: DemoOptions,
  world: DemoWorld,
): Promise<readonly ActResult[]> {
  using display = new Display(world);
  const { env, signal, colour } = world;
  const notify = (line: string): void => display.print([line]);
  const envoyBinary = await findEnvoy({ env, notify, signal });
  const results: ActResult[] = [];
  for (const act of options.acts) {
    if (act === 1) {
      const summary = await playTraffic(options, envoyBinary, display, world);
      results.push({ act, unmet: unmetConditions(summary), summary });
      continue;
    }
    display.print(rotationIntroduction(options.seed, painter(colour)));
    const summary = await playRoots(options.seed, envoyBinary, display, world);
    display.print(["", ...formatRotationSummary(summary, colour), ""]);
    results.push({ act, unmet: unmetOfRotation(summary), summary });
  }
  return results;
}
