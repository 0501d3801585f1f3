import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocol } from "../resources/service-entry.ts";
import type { IngressListener } from "../resources/sidecar.ts";
import { inboundPorts, takenAddresses } from "./inbound-ports.ts";
import type { AppAddress, PortModes } from "./proxy-policy.ts";

function listenerOf(
  number: number,
  more: Partial<IngressListener> = {},
  protocol: Protocol = "TCP",
): IngressListener {
  const port = { number, name: "p", protocol };
  return { port, bind: "", defaultEndpoint: "127.0.0.1:9000", ...more };
}

const modes: PortModes = { other: "strict", ports: new Map([[81, "disable"]]) };

test("a port has the mode of its number, and the first of two holds", () => {
  const ingress = [listenerOf(81), listenerOf(80), listenerOf(81, { bind: "10.0.0.9" })];
  const ports = inboundPorts({ ingress }, "10.0.0.1", modes);
  assert.deepEqual(
    ports.map(({ port, bind, mode }) => [port, bind, mode]),
    [
      [80, "10.0.0.1", "strict"],
      [81, "10.0.0.1", "disable"],
    ],
  );
});

const binds: readonly (readonly [written: string, address: string | undefined, bind: string])[] = [
  ["", "10.0.0.1", "10.0.0.1"],
  ["", "fd00::1", "fd00::1"],
  ["", "vm.example", "0.0.0.0"],
  ["", "unix:///run/app.sock", "0.0.0.0"],
  ["", undefined, "0.0.0.0"],
  ["127.0.0.2", "10.0.0.1", "127.0.0.2"],
];

test("a listener is at the address that is written, else at the workload's, else at all", () => {
  for (const [bind, address, expected] of binds) {
    const [port] = inboundPorts({ ingress: [listenerOf(80, { bind })] }, address, modes);
    assert.equal(port?.bind, expected);
  }
});

const apps: readonly (readonly [written: string, app: AppAddress])[] = [
  ["127.0.0.1:9000", { kind: "ip", host: "127.0.0.1", port: 9000 }],
  ["[::1]:9000", { kind: "ip", host: "::1", port: 9000 }],
  ["0.0.0.0:9000", { kind: "ip", host: "10.0.0.1", port: 9000 }],
  ["[::]:9000", { kind: "ip", host: "10.0.0.1", port: 9000 }],
  ["unix:///run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["", { kind: "ip", host: "127.0.0.1", port: 80 }],
];

test("the application is where the Sidecar says, and all addresses are the workload's own", () => {
  for (const [defaultEndpoint, app] of apps) {
    const ingress = [listenerOf(80, { defaultEndpoint })];
    assert.deepEqual(inboundPorts({ ingress }, "10.0.0.1", modes)[0]?.app, app);
  }
  const ingress = [listenerOf(80, { defaultEndpoint: "0.0.0.0:9000" })];
  const [port] = inboundPorts({ ingress }, undefined, modes);
  assert.deepEqual(port?.app, { kind: "ip", host: "127.0.0.1", port: 9000 });
});

const protocols: readonly (readonly [Protocol, string, boolean])[] = [
  ["TCP", "tcp", false],
  ["TLS", "tcp", false],
  ["HTTPS", "tcp", false],
  ["HTTP", "http", false],
  ["HTTP2", "http", true],
  ["GRPC", "http", true],
  ["AUTO", "auto", false],
];

test("each protocol is taken for what it is", () => {
  for (const [written, protocol, isHttp2] of protocols) {
    const [port] = inboundPorts({ ingress: [listenerOf(80, {}, written)] }, undefined, modes);
    assert.deepEqual([port?.protocol, port?.isHttp2], [protocol, isHttp2]);
  }
});

test("the application's address and a written bind are taken, a socket and the workload's own address are not", () => {
  const ingress = [
    listenerOf(80),
    listenerOf(81, { bind: "127.0.0.1", defaultEndpoint: "0.0.0.0:9001" }),
    listenerOf(82, { defaultEndpoint: "unix:///run/app.sock" }),
  ];
  assert.deepEqual(takenAddresses({ ingress }), ["*|9001", "127.0.0.1|81", "127.0.0.1|9000"]);
});
