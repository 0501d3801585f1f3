/** The server's pod, as the chart makes it: its rights on its node, its ports, and when it is started anew. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serverLabels } from "../../src/edge/kube/read/list-server-pods.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { find, helm, render, variants } from "./chart.ts";
import { configOf, serverContainer, serverPod } from "./server-manifests.ts";

describe("the server's pod", { skip: skipKube }, () => {
  it("starts the pod anew when the file changes, and else not", async () => {
    const sumOf = async (values: Readonly<Record<string, unknown>>): Promise<string> =>
      /checksum\/config: (\w+)/.exec(await helm("template", values))?.[1] ?? assert.fail();
    const sum = await sumOf({});
    assert.equal(await sumOf({ "pod.labels": { a: "b" } }), sum);
    assert.notEqual(await sumOf({ trustDomain: "prod.example" }), sum);
  });

  it("takes an image by tag and by digest", async () => {
    for (const [tag, image] of [
      ["", "portcullis:0.1.0"],
      ["1.2.3", "portcullis:1.2.3"],
      ["sha256:00", "portcullis@sha256:00"],
    ] as const) {
      assert.equal(serverContainer(await render({ "image.tag": tag })).image, image);
    }
  });

  it("runs as nobody, with nothing, on a file system that it cannot write", async () => {
    for (const [, values] of variants) {
      const pod = serverPod(await render(values));
      assert.deepEqual(
        [pod.hostNetwork, pod.hostPID, pod.hostIPC, pod.automountServiceAccountToken],
        [undefined, undefined, undefined, true],
      );
      assert.deepEqual(pod.securityContext, {
        runAsNonRoot: true,
        runAsUser: 10_001,
        runAsGroup: 10_001,
        fsGroup: 10_001,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext } of pod.containers) {
        assert.deepEqual(securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
      }
      assert.ok((pod.volumes ?? []).every((volume) => !("hostPath" in volume)));
    }
  });

  it("keeps its data below the root of the volume, whose mode is the kubelet's", async () => {
    const manifests = await render();
    const { volumeMounts = [] } = serverContainer(manifests);
    const mount = volumeMounts.find(({ name }) => name === "data")?.mountPath ?? assert.fail();
    const { dataDir } = configOf(manifests);
    assert.ok(dataDir.startsWith(`${mount}/`), dataDir);
  });

  it("opens those ports that the server listens on, and probes the one for probes", async () => {
    const moved = [
      { "admin.listen": "127.0.0.1:25016" },
      { "config.admin.listen": "[::1]:25017", "admin.enabled": true },
    ];
    for (const values of [...variants.map(([, each]) => each), ...moved]) {
      const manifests = await render(values);
      const { listen, metricsListen, adminListen, guard, guardListen } = configOf(manifests);
      const listening = new Set([
        listen.port,
        metricsListen.port,
        ...(adminListen === undefined ? [] : [adminListen.port]),
        ...(guard === "off" ? [] : [guardListen.port]),
      ]);
      const container = serverContainer(manifests);
      const ports = container.ports ?? [];
      assert.deepEqual(new Set(ports.map(({ containerPort }) => containerPort)), listening);
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"] as const) {
        const { httpGet } = container[probe] ?? assert.fail(probe);
        const port = ports.find(({ name }) => name === httpGet.port)?.containerPort;
        assert.equal(port, metricsListen.port);
        assert.equal(httpGet.path, probe === "readinessProbe" ? "/readyz" : "/healthz");
      }
    }
  });

  it("has the labels by which operators find it, as what selects it has", async () => {
    const manifests = await render();
    const { selector, template } = find(manifests, "StatefulSet", "portcullis")["spec"] as {
      readonly selector: { readonly matchLabels: Record<string, string> };
      readonly template: { readonly metadata: { readonly labels: Record<string, string> } };
    };
    const { labels } = template.metadata;
    const selected = Object.entries(selector.matchLabels).map(([name, value]) => {
      assert.equal(labels[name], value);
      return `${name}=${value}`;
    });
    assert.deepEqual(new Set(serverLabels.split(",")), new Set(selected));
  });

  it("lets nobody in from the network to the operators' port", async () => {
    const everything = await render(variants[1]?.[1]);
    const policy = JSON.stringify(find(everything, "NetworkPolicy", "portcullis"));
    const service = JSON.stringify(find(everything, "Service", "portcullis"));
    assert.doesNotMatch(policy + service, /admin|15016/);
    assert.equal(configOf(everything).adminListen?.host, "127.0.0.1");
  });
});
