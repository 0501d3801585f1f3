/** Where helm is: in the user's cache, else it is built into it once, as the API server of Kubernetes' tests is. */

import { homedir } from "node:os";
import { join } from "node:path";
import { makeDirectory } from "../../src/edge/config/make-directory.ts";
import { isExecutable, pinned } from "../kube/assets.ts";
import { buildAsset, type Asset, type Environment } from "../kube/build-assets.ts";
import { buildLock } from "../kube/build-lock.ts";

const version = pinned("helm", "helm.sh/helm/v3");

const helmAsset: Asset = {
  module: "helm",
  command: "helm.sh/helm/v3/cmd/helm",
  file: `helm-${version}`,
  ldflags: `-X helm.sh/helm/v3/internal/version.version=v${version}`,
  minutes: 3,
};

/** Takes minutes where it is not there yet. @throws KubeTestError with a hint that says what to install or set */
export async function helmBinary(
  env: Environment = process.env,
  notify: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<string> {
  const cache = join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "portcullis");
  const helm = join(cache, helmAsset.file);
  if (await isExecutable(helm)) return helm;
  await makeDirectory(cache, 0o700);
  using _ = await buildLock(join(cache, "helm-build.lock"), () => {
    notify("another process builds helm: waiting for it");
  });
  if (!(await isExecutable(helm))) await buildAsset(helmAsset, { cache, env, notify });
  return helm;
}
