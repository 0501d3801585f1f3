/** Custom resource definitions from files, in force when this returns. */

import { readFileSync, globSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiException,
  ApiextensionsV1Api,
  CustomObjectsApi,
  loadAllYaml,
  type V1CustomResourceDefinition,
} from "@kubernetes/client-node";
import { KubeTestError } from "./kube-error.ts";
import type { PooledKubeConfig } from "./pooled-config.ts";

const pollMs = 50;
const timeoutMs = 20_000;

/** All `*.yaml` of a directory; what is there already stays as it is. */
export async function applyCrds(config: PooledKubeConfig, directory: string): Promise<void> {
  const definitions = globSync("*.yaml", { cwd: directory }).flatMap((file) =>
    // As raw objects they would lose `enum` and `x-kubernetes-*`, whose names differ in the client's classes.
    loadAllYaml(readFileSync(join(directory, file), "utf8")),
  );
  const api = config.makeApiClient(ApiextensionsV1Api);
  for (const body of definitions) await create(api, body);
  await Promise.all(definitions.map(async (each) => waitUntilListed(config, each)));
}

async function create(api: ApiextensionsV1Api, body: V1CustomResourceDefinition): Promise<void> {
  try {
    await api.createCustomResourceDefinition({ body });
  } catch (error) {
    if (!isStatus(error, 409)) throw error;
  }
}

/** Established comes first, and after it 404 and 429 for a short while: only a list that comes says that it is there. */
async function waitUntilListed(
  config: PooledKubeConfig,
  { spec }: V1CustomResourceDefinition,
): Promise<void> {
  const { group, names, versions } = spec;
  const objects = config.makeApiClient(CustomObjectsApi);
  for (const { name: version } of versions.filter(({ served }) => served)) {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await isListed(objects, { group, version, plural: names.plural }))) {
      if (performance.now() > deadlineMs) {
        const what = `${names.plural}.${group}/${version}`;
        throw new KubeTestError(
          "kube-not-ready",
          `expected ${what} to be listed in ${timeoutMs} ms, it was not`,
        );
      }
      await sleep(pollMs);
    }
  }
}

interface CustomKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

async function isListed(objects: CustomObjectsApi, kind: CustomKind): Promise<boolean> {
  try {
    await objects.listCustomObjectForAllNamespaces({ ...kind, resourcePlural: kind.plural });
    return true;
  } catch (error) {
    if (isStatus(error, 404) || isStatus(error, 429)) return false;
    throw error;
  }
}

function isStatus(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code;
}
