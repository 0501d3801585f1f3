/** What both kinds of agents do from their start to their end. */

import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { BundleReaders } from "./bundle-readers.ts";
import type { Certifier } from "./certifier.ts";
import type { HeldSet } from "./held-set.ts";
import type { MeshLink } from "./mesh-link.ts";
import type { Known } from "./mesh-report.ts";

/** How a workload ends whose agent ends with it. */
export interface Ending {
  readonly link: MeshLink;
  readonly events: AgentEvents;
  /** Nothing is served any more, and no key is left on the disk, when it resolves. */
  readonly destroy: () => Promise<void>;
}

const goodbyeMsMax = 2_000;

export async function openReaders(
  { stateDir, nowMs }: { readonly stateDir: string; readonly nowMs: () => number },
  events: AgentEvents,
  onChange: () => void,
): Promise<BundleReaders> {
  return BundleReaders.open({ stateDir, events, nowMs, onChange });
}

/** What each report says of the agent itself. */
export function ofAgent(
  held: HeldSet,
  readers: BundleReaders,
): Pick<Known, "heldRootsDigest" | "heldBundleSequence" | "unobservedReaders"> {
  const { rootsDigest, bundleSequence: heldBundleSequence } = held;
  return {
    ...(rootsDigest !== undefined && { heldRootsDigest: rootsDigest, heldBundleSequence }),
    unobservedReaders: readers.unobserved,
  };
}

/**
 * Runs until the signal. The link goes last where there is something to say: that the keys are gone, once they are.
 * @param ending absent where the workload may come back
 */
export async function runUntilEnd(
  {
    certifier,
    link,
    ending,
  }: {
    readonly certifier: Certifier;
    readonly link: MeshLink;
    readonly ending: Ending | undefined;
  },
  signal: AbortSignal,
): Promise<void> {
  if (ending === undefined) {
    await Promise.all([certifier.run(signal), link.run(signal)]);
    return;
  }
  const said = new AbortController();
  const certifying = certifier
    .run(signal)
    .then(async () => end(ending))
    .finally(() => said.abort());
  await Promise.all([certifying, link.run(said.signal)]);
}

/** Never rejects: who cannot destroy its keys does not say that it has. */
async function end({ destroy, link, events }: Ending): Promise<void> {
  link.leave();
  try {
    await destroy();
  } catch (error) {
    return events.keysNotDestroyed(error);
  }
  events.saidGoodbye(await link.goodbye(goodbyeMsMax));
}
