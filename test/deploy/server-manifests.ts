/** What of the chart's manifests is the server: its pod, its container, and its configuration as the server reads it. */

import assert from "node:assert/strict";
import { parseConfigFile } from "../../src/edge/config/config-file.ts";
import { resolveServerConfig, type ServerConfig } from "../../src/edge/config/server-config.ts";
import { find, type Manifest } from "./chart.ts";
import { podSpecOf, type Container, type PodSpec } from "./pod-spec.ts";

export function serverPod(manifests: readonly Manifest[]): PodSpec {
  return podSpecOf(find(manifests, "StatefulSet", "portcullis"));
}

export function serverContainer(manifests: readonly Manifest[]): Container {
  return serverPod(manifests).containers[0] ?? assert.fail("no container");
}

/** By the server's own reader. */
export function configOf(manifests: readonly Manifest[]): ServerConfig {
  const data = find(manifests, "ConfigMap", "portcullis")["data"] as Record<string, string>;
  return resolveServerConfig([parseConfigFile("server.yaml", data["server.yaml"] ?? "")]);
}
