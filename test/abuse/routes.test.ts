/** The CA's port to whoever has nothing to show: every method of every service that there is anywhere in this program. */

import assert from "node:assert/strict";
import type { DescService } from "@bufbuild/protobuf";
import { after, before, describe, it } from "node:test";
import { SecretDiscoveryService } from "../../src/gen/envoy/service/secret/v3/sds_pb.ts";
import { IstioCertificateService } from "../../src/gen/istio/v1/auth/ca_pb.ts";
import { file_portcullis_admin_v1_admin } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { file_portcullis_mesh_v1_mesh } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { file_spiffe_workload_workload } from "../../src/gen/spiffe/workload/workload_pb.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { CODE, dialWire, encodeRequest, frame, type WireConnection } from "../server/grpc-wire.ts";

const services: readonly DescService[] = [
  SecretDiscoveryService,
  IstioCertificateService,
  ...file_portcullis_admin_v1_admin.services,
  ...file_portcullis_mesh_v1_mesh.services,
  ...file_spiffe_workload_workload.services,
];
const paths = services.flatMap(({ typeName, methods }) =>
  methods.map(({ name }) => `/${typeName}/${name}`),
);

describe("whoever shows no credential", () => {
  let server: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    server = await startControlPlane();
    connection = dialWire(server);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it("CVE-2026-30836: is refused by every method, whatever the method is for", async () => {
    const bodies = [
      new Uint8Array(0),
      frame(new Uint8Array(0)),
      frame(encodeRequest({ csr: "x" })),
    ];
    assert.ok(paths.length > 10, "all services are here");
    for (const path of paths) {
      for (const body of bodies) {
        const { code, messages } = await connection.call(path, body);
        const where = `${path} ${body.length}`;
        assert.deepEqual(messages, [], where);
        assert.notEqual(code, CODE.ok, where);
        const allowed: readonly number[] = [
          CODE.unauthenticated,
          CODE.unimplemented,
          CODE.internal,
        ];
        assert.ok(allowed.includes(code), `${where}: ${code}`);
        // An empty call and a message that is none are refused as such, and never by an answer.
        if (code === CODE.internal) assert.notEqual(body, bodies[1], where);
      }
    }
  });

  it("finds no service for operators and no method without a name", async () => {
    const operators = file_portcullis_admin_v1_admin.services.flatMap(({ typeName, methods }) =>
      methods.map(({ name }) => `/${typeName}/${name}`),
    );
    for (const path of [
      ...operators,
      "/",
      "//",
      "/debug/pprof/",
      "/x.Y/Z",
      "/istio.v1.auth.IstioCertificateService/",
    ]) {
      assert.equal(
        (await connection.call(path, frame(new Uint8Array(0)))).code,
        CODE.unimplemented,
        path,
      );
    }
  });
});
