import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OddApiServer } from "../../../../test/support/odd-api-server.ts";
import { KubeError } from "../kube-error.ts";
import { findServerPod } from "./server-place.ts";

const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
const podOf = (name: string, ports: readonly object[], status: object = ready): object => ({
  metadata: { namespace: "mesh", name, uid: name },
  spec: { containers: [{ ports: [{ name: "ca", containerPort: 15_012 }] }, { ports }] },
  status,
});

describe("the pod of a server", () => {
  const found = async (...items: object[]): Promise<{ place: unknown; asked: URL | undefined }> => {
    const text = JSON.stringify({ items });
    await using odd = await OddApiServer.start((_, response) => void response.end(text));
    const place = await findServerPod(odd.connection, "mesh");
    return { place, asked: odd.requests[0] };
  };

  const table: readonly (readonly [string, readonly object[], number])[] = [
    ["as its port named admin says", [{ name: "admin", containerPort: 25_016 }], 25_016],
    ["as ever where it names none", [], 15_016],
    ["as ever where that is no port", [{ name: "admin", containerPort: "x" }], 15_016],
  ];
  for (const [title, ports, port] of table) {
    it(`serves operators ${title}`, async () => {
      const { place } = await found(podOf("portcullis-0", ports));
      assert.deepEqual(place, { pod: "portcullis-0", port });
    });
  }

  it("is none of the mesh's other pods: it is asked for as the chart labels it", async () => {
    const { asked } = await found(podOf("portcullis-0", []));
    assert.equal(
      asked?.searchParams.get("labelSelector"),
      "app.kubernetes.io/name=portcullis,app.kubernetes.io/component=server",
    );
  });

  it("is said not to be ready, or not to be there", async () => {
    const waits = podOf("portcullis-0", [], { phase: "Pending" });
    const failsWith = (code: string) => (error: unknown) =>
      error instanceof KubeError && error.code === code;
    await assert.rejects(found(waits), failsWith("kube-unavailable"));
    await assert.rejects(found(), failsWith("kube-not-found"));
  });
});
