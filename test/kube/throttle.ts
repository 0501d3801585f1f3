/**
 * An API server that has no room for us, by its own priority and fairness: our account has one seat (there is always one), and on it sits a
 * request whose body does not come. Streams that are open stay open.
 */

import { once } from "node:events";
import type { ClientRequest } from "node:http";
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { FlowcontrolApiserverV1Api } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import type { ObjectName } from "./objects.ts";

const name = "throttled";
/** A request that has no seat is refused at once. */
const seatedMs = 500;
const retryMs = 20;
const followMs = 1_000;

/** Resolves when there is no room; for a minute, after which the API server ends a request. */
export async function throttle(cluster: Cluster, account: ObjectName): Promise<AsyncDisposable> {
  await using owned = new AsyncDisposableStack();
  await oneSeat(cluster, account, owned);
  const token = await cluster.tokenOf(account);
  for (;;) {
    const sitting = sit(cluster, account, token);
    const answered = once(sitting, "response").catch(() => {});
    const isSeated = await Promise.race([answered.then(() => false), sleep(seatedMs, true)]);
    owned.defer(() => void sitting.destroy());
    if (isSeated) return owned.move();
    await sleep(retryMs);
  }
}

async function oneSeat(
  cluster: Cluster,
  { namespace, name: account }: ObjectName,
  owned: AsyncDisposableStack,
): Promise<void> {
  const flows = cluster.kubeConfig().makeApiClient(FlowcontrolApiserverV1Api);
  const limited = {
    nominalConcurrencyShares: 0,
    borrowingLimitPercent: 0,
    limitResponse: { type: "Reject" },
  };
  await flows.createPriorityLevelConfiguration({
    body: { metadata: { name }, spec: { type: "Limited", limited } },
  });
  owned.defer(async () => void (await flows.deletePriorityLevelConfiguration({ name })));
  const every = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"] };
  const subjects = [{ kind: "ServiceAccount", serviceAccount: { namespace, name: account } }];
  await flows.createFlowSchema({
    body: {
      metadata: { name },
      spec: {
        priorityLevelConfiguration: { name },
        // After `probes`, which lets `/livez` in.
        matchingPrecedence: 50,
        rules: [{ subjects, resourceRules: [{ ...every, clusterScope: true }] }],
      },
    },
  });
  owned.defer(async () => void (await flows.deleteFlowSchema({ name })));
  // The API server follows it soon after it is there.
  await sleep(followMs);
}

/** A request that the API server begins to work on, and which does not end. */
function sit({ url, caPem: ca }: Cluster, { namespace }: ObjectName, token: string): ClientRequest {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-length": 1_000,
  };
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const sitting = request(new URL(path, url), { method: "POST", ca, headers, agent: false });
  sitting.on("error", () => {});
  sitting.write("{");
  return sitting;
}
