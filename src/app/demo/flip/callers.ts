/** The third act's three who send plaintext at first, and what became of their calls. */

import { setTimeout as sleep } from "node:timers/promises";
import { batch, cron, report, servers, type FlipWorkload } from "./manifests.ts";
import { PlainCaller } from "./plain-caller.ts";

interface Meshed {
  readonly sent: number;
  readonly failed: number;
}

const timeoutMs = 10_000;
/** A caller's host may have another clock: whoever got his Envoy less than two seconds before may have called without it. */
const knownMs = 2_500;

export class FlipCallers {
  readonly batch: PlainCaller = caller(batch, "batch/2.1");
  readonly cron: PlainCaller = caller(cron, "curl/8.5.0");
  readonly report: PlainCaller = caller(report, "monthly-report/1.0");

  /** Those who call all the time, and from when on it is known who has an Envoy. */
  async run(port: number, signal: AbortSignal): Promise<void> {
    await sleep(knownMs, undefined, { signal }).catch(() => {});
    await Promise.all([this.batch, this.cron].map((each) => each.run(servers, port, signal)));
  }

  /** Of those who have moved. */
  get meshed(): Meshed {
    return sum([this.batch.meshed, this.cron.meshed]);
  }

  get plaintext(): { readonly served: number; readonly refused: number } {
    const all = [this.batch, this.cron, this.report].map(({ direct }) => direct);
    return {
      served: all.reduce((total, { served }) => total + served, 0),
      refused: all.reduce((total, { refused }) => total + refused, 0),
    };
  }
}

export function sum(all: readonly Meshed[]): Meshed {
  return {
    sent: all.reduce((total, { sent }) => total + sent, 0),
    failed: all.reduce((total, { failed }) => total + failed, 0),
  };
}

function caller(workload: FlipWorkload, claim: string): PlainCaller {
  return new PlainCaller({ workload, claim, timeoutMs });
}
