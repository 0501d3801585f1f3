/** A change that was let in waits for nothing any more once the configuration has it. */

import type { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import type { ResourceSet } from "../../policy/resources/resource-set.ts";

/** Until it is disposed. */
export function followTold(
  set: Pick<ResourceSet, "onChange">,
  recent: Pick<RecentChanges, "told">,
): Disposable {
  return set.onChange(({ set: put, deleted }) => {
    for (const { kind, object } of put) {
      if (kind === "PeerAuthentication") recent.told(object.ref, object);
    }
    for (const ref of deleted) {
      if (ref.kind === "PeerAuthentication") recent.told(ref, undefined);
    }
  });
}
