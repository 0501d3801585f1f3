/**
 * `node test/deploy/plain-manifests.ts` writes deploy/kubernetes from the chart, which is the one source. What a value adds is a file of its
 * own, to be applied over the first one; a test holds that they are what the chart says.
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { keyOf, render, type Manifest, type Values } from "./chart.ts";

const directory = join(import.meta.dirname, "../../deploy/kubernetes");
const namespace = { "namespace.create": true };

interface PlainFile {
  readonly file: string;
  readonly what: string;
  /** Over the defaults. */
  readonly values: Values;
}

const base: PlainFile = {
  file: "portcullis.yaml",
  what: "Portcullis by the defaults of deploy/helm/portcullis. The definitions in crds come first.",
  values: {},
};

const overlays: readonly PlainFile[] = [
  {
    file: "guard.yaml",
    what: "The admission webhook, in the mode that warns. Over portcullis.yaml.",
    values: { "guard.mode": "warn" },
  },
  {
    file: "trust-secret.yaml",
    what: "The trust state in a Secret, too. Over portcullis.yaml.",
    values: { trustSecret: "portcullis-trust" },
  },
  {
    file: "monitoring.yaml",
    what: "For the Prometheus operator. Over portcullis.yaml.",
    values: { "monitoring.serviceMonitor.enabled": true, "monitoring.rules.enabled": true },
  },
];

export interface PlainManifests extends PlainFile {
  readonly path: string;
  readonly manifests: readonly Manifest[];
}

export async function plainManifests(): Promise<readonly PlainManifests[]> {
  const all = await render(namespace);
  const known = new Map(all.map((each) => [keyOf(each), JSON.stringify(each)]));
  const files = [{ ...base, path: join(directory, base.file), manifests: all }];
  for (const each of overlays) {
    const rendered = await render({ ...namespace, ...each.values });
    const manifests = rendered.filter((one) => known.get(keyOf(one)) !== JSON.stringify(one));
    files.push({ ...each, path: join(directory, each.file), manifests });
  }
  return files;
}

if (import.meta.main) {
  const files = await plainManifests();
  for (const { path, what, manifests } of files) {
    const documents = manifests.map((each) => stringify(each, { lineWidth: 0, version: "1.1" }));
    const head = `# Written by test/deploy/plain-manifests.ts: change the chart. ${what}\n`;
    writeFileSync(path, `${head}${documents.join("---\n")}`);
  }
  execFileSync(
    "oxfmt",
    files.map(({ path }) => path),
  );
}
