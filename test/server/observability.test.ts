/** What the server tells operators and probes, and what it tells nobody. */

import assert from "node:assert/strict";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { after, before, describe, test } from "node:test";

import { eventually, mint, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import {
  CODE,
  CREATE_CERTIFICATE,
  dialWire,
  encodeRequest,
  frame,
  sign,
  WIRE_CSR,
  type WireConnection,
} from "./grpc-wire.ts";

function encodeText(field: number, text: string): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish();
}

/** The values of one length-delimited field. */
function fieldsOf(bytes: Uint8Array | undefined, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes ?? Uint8Array.of());
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}

describe("a running server", () => {
  let it: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    it = await startControlPlane();
    connection = dialWire(it);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await it[Symbol.asyncDispose]();
  });
  const http = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${it.controlPlane.endpoints.metrics}${path}`, init);

  test("answers probes, and nothing else, on its HTTP port", async () => {
    for (const [path, status, text] of [
      ["/healthz", 200, "ok\n"],
      ["/readyz", 200, "ok\n"],
      ["/readyz?verbose", 200, "ok\n"],
      ["/", 404, "expected /metrics, /healthz, /readyz or /log/checkpoint\n"],
    ] as const) {
      const response = await http(path);
      assert.deepEqual([response.status, await response.text()], [status, text]);
    }
    assert.equal((await http("/healthz", { method: "HEAD" })).status, 200);
    assert.equal((await http("/healthz", { method: "POST" })).status, 405);
  });

  test("answers gRPC health checks, by service and as a whole", async () => {
    const check = (service: string) =>
      connection.call("/grpc.health.v1.Health/Check", frame(encodeText(1, service)));
    await eventually(async () => (await check("")).code === CODE.ok);
    const names = ["", "istio.v1.auth.IstioCertificateService", "portcullis.mesh.v1.MeshService"];
    for (const name of names) {
      // HealthCheckResponse: status = 1 is SERVING.
      assert.deepEqual(
        (await check(name)).messages.map((bytes) => [...bytes]),
        [[8, 1]],
      );
    }
    assert.equal((await check("no.such.Service")).code, 5);
  });

  for (const version of ["v1", "v1alpha"]) {
    test(`describes its services by reflection ${version}`, async () => {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const ask = (field: number, text: string) =>
        connection.call(path, frame(encodeText(field, text)));
      await eventually(async () => (await ask(7, "")).code === CODE.ok);
      const [listed] = (await ask(7, "")).messages;
      const names = fieldsOf(fieldsOf(listed, 6)[0], 1).map((service) =>
        Buffer.from(fieldsOf(service, 1)[0] ?? []).toString(),
      );
      const services = ["istio.v1.auth.IstioCertificateService", "portcullis.mesh.v1.MeshService"];
      assert.deepEqual(names.toSorted(), services);
      for (const service of services) {
        const [described] = (await ask(4, service)).messages;
        const files = fieldsOf(fieldsOf(described, 4)[0], 1);
        assert.ok(
          files.some((file) => Buffer.from(file).includes(service.split(".").at(-1) ?? "")),
        );
      }
    });
  }

  const secret = `${mint().slice(0, -8)}AAAAAAAA`;
  const hostile = [
    `Bearer ${secret}`,
    `Bearer ${secret}\u00e9`,
    `Bearer ${secret} `,
    `Bearer  ${secret}`,
    `bearer ${secret}`,
    `Bearer ${secret.slice(0, -3)}`,
    `Bearer ${secret}.${secret}`,
    `Bearer ${secret.replaceAll(".", " ")}`,
    `Bearer ${secret.split(".").toReversed().join(".")}`,
    `Basic ${secret}`,
    secret,
  ];

  test("writes no token, no CSR and no identity where it does not belong", async (t) => {
    const printed: string[] = [];
    for (const method of ["error", "log", "info", "debug"] as const) {
      t.mock.method(console, method, (...words: unknown[]) => void printed.push(words.join(" ")));
    }
    const good = mint();
    const csrs = [WIRE_CSR, WIRE_CSR.slice(0, -80), `${WIRE_CSR}x`, WIRE_CSR.replace("M", "Z")];
    for (const csr of csrs)
      await sign(connection, { authorization: `Bearer ${good}`, message: { csr } });
    for (const authorization of hostile) {
      assert.equal((await sign(connection, { authorization })).code, CODE.unauthenticated);
      const headers = { authorization, "bad!name": secret, "x-token": secret, "junk-bin": "%%" };
      const body = Uint8Array.of(0xff);
      assert.equal((await sign(connection, { body, headers })).code, CODE.internal);
    }
    const all = [...printed, ...it.log.map(({ text }) => text)].join("\n");
    const parts = [...good.split("."), ...secret.split(".")];
    const csrLines = WIRE_CSR.split("\n").filter((line) => line.length > 40 && !line.includes("-"));
    for (const part of [...parts, ...csrLines]) {
      // Neither the whole nor a good part of it. All headers begin alike, so their ends are told.
      assert.ok(!all.includes(part.slice(-24)), part.slice(-24));
    }
    assert.deepEqual(printed, []);
    const exposition = await (await http("/metrics")).text();
    assert.doesNotMatch(exposition, /spiffe|shop|cart|eyJ|serviceaccount|127\.0\.0\.1/);
    const labels = new Set([...exposition.matchAll(/[{,](\w+)="/g)].map(([, name]) => name));
    assert.deepEqual(labels, new Set(["error", "le", "part", "reason", "root", "state"]));
  });

  test("writes one line for each answer: who, what and why", async () => {
    const before = it.log.length;
    const { certChain } = await sign(connection);
    const { metadata } = await sign(connection, { message: { csr: "no" } });
    const [issued, refused, ...more] = it.log.slice(before);
    assert.equal(more.length, 0);
    assert.equal(certChain.length, 2);
    assert.equal(issued?.["event"], "certificate-issued");
    assert.equal(refused?.["event"], "request-refused");
    for (const line of [issued, refused]) {
      assert.equal(line?.["spiffeId"], "spiffe://cluster.local/ns/shop/sa/cart");
      const { pod, method } = line["evidence"] as { pod: { name: string }; method: string };
      assert.deepEqual([method, pod.name], ["jwt", "cart-6f9c7-x2x4z"]);
      assert.match(String(line["peer"]), /^127\.0\.0\.1:\d+$/);
    }
    assert.match(String(issued["serial"]), /^[0-9a-f]{30,34}$/);
    assert.deepEqual(
      [refused["requestId"], typeof refused["reason"]],
      [metadata["x-request-id"], "string"],
    );
  });
});

test("drains: a call that is open finishes, and the probe says what happens", async () => {
  const it = await startControlPlane();
  await using connection = dialWire(it);
  assert.equal((await sign(connection)).code, CODE.ok);
  const open = connection.session.request({
    ":method": "POST",
    ":path": CREATE_CERTIFICATE,
    "content-type": "application/grpc",
    authorization: `Bearer ${mint()}`,
  });
  const trailers = new Promise<unknown>((resolve) => {
    open.on("trailers", (headers) => resolve(headers["grpc-status"]));
  });
  const message = frame(encodeRequest({ csr: WIRE_CSR }));
  open.write(message.subarray(0, 100));
  open.resume();
  await new Promise((resolve) => setTimeout(resolve, 50));
  it.stop();
  const stopped = it[Symbol.asyncDispose]();
  const readiness = await fetch(`${it.controlPlane.endpoints.metrics}/readyz`);
  assert.deepEqual([readiness.status, await readiness.text()], [503, "draining\n"]);
  await eventually(async () => {
    await using late = dialWire(it);
    return (await sign(late).catch(() => ({ code: -1 }))).code !== CODE.ok;
  });
  open.end(message.subarray(100));
  assert.equal(await trailers, "0");
  await stopped;
});
