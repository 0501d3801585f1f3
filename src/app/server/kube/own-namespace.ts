/** The namespace that this server is in: its own objects are there, and none of theirs. */

import { readFile } from "node:fs/promises";
import { isDnsLabel } from "../../../core/identity/service-account.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";

const podFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const elsewhere = "portcullis-system";

export async function ownNamespace({
  kubernetes,
  kubeNamespace,
}: Pick<ServerConfig, "kubernetes" | "kubeNamespace">): Promise<string> {
  if (kubeNamespace !== undefined) return kubeNamespace;
  if (kubernetes !== "in-cluster") return elsewhere;
  const written = await readFile(podFile, "utf8").catch(() => "");
  const name = written.trim();
  return isDnsLabel(name) ? name : elsewhere;
}
