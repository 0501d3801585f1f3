/**
 * Where kube-apiserver and etcd are: `KUBEBUILDER_ASSETS` (as setup-envtest and kubebuilder have it), then the user's cache, else they
 * are built into it once.
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeDirectory } from "../../src/edge/config/make-directory.ts";
import { buildAsset, type Asset, type Environment } from "./build-assets.ts";
import { buildLock } from "./build-lock.ts";
import { KubeTestError } from "./kube-error.ts";

export interface KubeAssets {
  readonly apiServer: string;
  readonly etcd: string;
  /** Of Kubernetes, without a `v`. */
  readonly version: string;
}

const kubeVersion = pinned("apiserver", "k8s.io/kubernetes");
const etcdVersion = pinned("etcd", "go.etcd.io/etcd/server/v3");

const [kubeMajor, kubeMinor] = kubeVersion.split(".");
const versionVariable = "-X k8s.io/component-base/version.git";

const apiServerAsset: Asset = {
  module: "apiserver",
  command: "k8s.io/kubernetes/cmd/kube-apiserver",
  file: `kube-apiserver-${kubeVersion}`,
  // What it says of itself: without these, clients see v0.0.0.
  ldflags: [
    `${versionVariable}Version=v${kubeVersion}`,
    `${versionVariable}Major=${kubeMajor}`,
    `${versionVariable}Minor=${kubeMinor}`,
  ].join(" "),
  minutes: 8,
};

const etcdAsset: Asset = {
  module: "etcd",
  command: "go.etcd.io/etcd/server/v3",
  file: `etcd-${etcdVersion}`,
  ldflags: "",
  minutes: 1,
};

/** Takes minutes where nothing is there yet. @throws KubeTestError with a hint that says what to install or set */
export async function kubeAssets(
  env: Environment = process.env,
  notify: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<KubeAssets> {
  const named = env["KUBEBUILDER_ASSETS"];
  if (named !== undefined && named !== "") return assetsIn(named);
  const cache = join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "portcullis");
  const [apiServer, etcd] = [join(cache, apiServerAsset.file), join(cache, etcdAsset.file)];
  const found: KubeAssets = { apiServer, etcd, version: kubeVersion };
  const isThere = async (): Promise<boolean> =>
    (await isExecutable(apiServer)) && (await isExecutable(etcd));
  if (await isThere()) return found;
  await makeDirectory(cache, 0o700);
  using _ = await buildLock(join(cache, "kube-build.lock"), () => {
    notify("another process builds kube-apiserver and etcd: waiting for it");
  });
  for (const asset of [etcdAsset, apiServerAsset]) {
    if (!(await isExecutable(join(cache, asset.file))))
      await buildAsset(asset, { cache, env, notify });
  }
  return found;
}

async function assetsIn(directory: string): Promise<KubeAssets> {
  const [apiServer, etcd] = [join(directory, "kube-apiserver"), join(directory, "etcd")];
  for (const path of [apiServer, etcd]) {
    if (await isExecutable(path)) continue;
    throw new KubeTestError(
      "kube-assets-incomplete",
      `expected an executable file ${path}, got none`,
      {
        hint: "KUBEBUILDER_ASSETS is a directory with kube-apiserver and etcd; unset it to have both built",
      },
    );
  }
  // "Kubernetes v1.37.2"
  const { stdout } = await promisify(execFile)(apiServer, ["--version"]);
  return { apiServer, etcd, version: stdout.trim().replace(/^Kubernetes v/, "") };
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** In `go/DIRECTORY/go.mod`, the one place that says it. */
export function pinned(directory: Asset["module"], module: string): string {
  const text = readFileSync(join(import.meta.dirname, "go", directory, "go.mod"), "utf8");
  const line = text.split("\n").find((each) => each.includes(`${module} v`)) ?? "";
  return line.split(` v`)[1]?.split(" ")[0] ?? "";
}
