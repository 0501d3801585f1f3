/**
 * A process that brings a data directory and its Secret together, makes a change and publishes it; `kill-when-armed.ts` ends it at one of
 * its durable writes: `node trust-killed.ts KUBECONFIG NAMESPACE NAME DATA_DIR`. It prints the epochs that were in force.
 */

import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { startTrust } from "./trust-rig.ts";

/** Its own file. */
export const trustProgram: string = import.meta.filename;

async function run(path: string, namespace: string, name: string, dataDir: string): Promise<void> {
  using connection = new KubeConnection({ access: await kubeconfigAccess({ path }) });
  await using here = await startTrust({ connection, dataDir, place: { namespace, name } });
  const say = (): void => void process.stdout.write(`${here.state().epoch}\n`);
  say();
  here.change();
  await here.secret.publish();
  say();
}

const [, , kubeconfig = "", namespace = "", name = "", dataDir = ""] = process.argv;
if (import.meta.main) await run(kubeconfig, namespace, name, dataDir);
