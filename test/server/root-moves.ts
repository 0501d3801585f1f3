/** A rotation that a test moves: what a server would answer, without its evidence. */

import type { ChangeRootRequest } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { done, proxy, type ChangeAnswer, type StatusAnswer } from "./root-rig.ts";

/** The state of each authority, by its ID. */
type Shape = Readonly<Record<string, string>>;

/** A server whose gates are open, but for those that a test closes for some answers. */
export class RotationFake {
  shape: Shape = { a: "active" };
  /** So many answers with a closed gate are left. */
  closedFor = 0;

  status(): StatusAnswer {
    const states = Object.values(this.shape);
    const isClosed = this.closedFor-- > 0;
    const step = (command: string, from: string) => {
      const isAllowed = states.includes(from) && !isClosed;
      const reason = isAllowed ? "" : "verifiers-lagging";
      return { command, isAllowed, reason, detail: "expected it, got less", hint: "wait" };
    };
    return {
      trustDomain: "cluster.local",
      authorities: Object.entries(this.shape).map(([id, state]) => ({
        id,
        state,
        keyLocation: "store",
      })),
      steps: [step("activate", "prepared"), step("retire", "retiring")],
      verifiers: isClosed
        ? { total: 3n, confirmed: 2n, lagging: 1n, laggards: [proxy] }
        : { total: 3n, confirmed: 3n },
      holders: [{ authorityId: "a", unexpired: 40n, named: [proxy] }],
      reissue: { perSecond: 10 },
    };
  }

  change({ command, dryRun }: ChangeRootRequest): ChangeAnswer {
    const next: Record<string, Shape> = {
      prepare: { b: "prepared", a: "active" },
      activate: { b: "active", a: "retiring" },
      retire: { b: "active" },
      compromise: { b: "active", a: "retired" },
    };
    if (!dryRun) this.shape = next[command.case ?? ""] ?? this.shape;
    return done(`${command.case} it is`);
  }
}
