import assert from "node:assert/strict";
import { test } from "node:test";
import { refOf, serviceOf } from "../../../test/support/policy-objects.ts";
import type { Protocol, ServiceEntry } from "../resources/service-entry.ts";
import type { EgressListener, IngressListener, Sidecar } from "../resources/sidecar.ts";
import { egressOf, planOutbound } from "./outbound-plan.ts";
import { Services } from "./services.ts";

/** `AT HOST PORT/PROTOCOL...`. */
function written(text: string, more: Partial<ServiceEntry> = {}): ServiceEntry {
  const [at = "", host = "", ...ports] = text.split(" ");
  return serviceOf({
    ref: refOf("ServiceEntry", at),
    hosts: [host],
    ports: ports.map((port) => {
      const [number, protocol] = port.split("/");
      return {
        number: Number(number),
        name: port,
        protocol: protocol as Protocol,
        targetPort: undefined,
      };
    }),
    ...more,
  });
}

/** `[PORT/PROTOCOL ]HOSTS`. */
function listener(text: string, bind = ""): EgressListener {
  const [first = "", ...others] = text.split(" ");
  if (first.startsWith("*") || first.includes(".") || !/^\d/.test(first)) {
    return { port: undefined, bind, hosts: [first, ...others] };
  }
  const [number, protocol] = first.split("/");
  const port = { number: Number(number), name: "p", protocol: protocol as Protocol };
  return { port, bind, hosts: others };
}

interface Scene {
  readonly services: readonly ServiceEntry[];
  readonly egress?: readonly EgressListener[];
  readonly ingress?: readonly IngressListener[];
}

function planOf({ services: entries, egress, ingress = [] }: Scene) {
  const services = new Services();
  for (const each of entries) services.setService(each);
  const ref = refOf("Sidecar", "root/default");
  const sidecar: Sidecar = {
    ref,
    createdMs: undefined,
    workloadSelector: new Map(),
    ingress,
    egress,
  };
  return planOutbound(services, egressOf(sidecar, "web"));
}

/** `BIND:PORT protocol CLUSTERS`. */
function listenersOf(scene: Scene): readonly string[] {
  return planOf(scene).outbound.map(({ bind, port, protocol, routes }) =>
    [`${bind}:${port}`, protocol, ...routes.map(({ cluster }) => cluster)].join(" "),
  );
}

const api = written("shop/api api.shop 80/HTTP");
const web = written("web/web web.web 80/HTTP 90/TCP");
const db = written("shop/db db.shop 90/TCP");
const old = { createdMs: 1 } as const;

const cases: readonly (readonly [title: string, scene: Scene, ...listeners: string[]])[] = [
  [
    "everybody is called where no egress is written",
    { services: [api, db] },
    "127.0.0.1:80 http outbound|80||api.shop",
    "127.0.0.1:90 tcp outbound|90||db.shop",
  ],
  [
    "several HTTP services share a port",
    { services: [api, web] },
    "127.0.0.1:80 http outbound|80||api.shop outbound|80||web.web",
    "127.0.0.1:90 tcp outbound|90||web.web",
  ],
  [
    "of two TCP services of one port the oldest has it",
    { services: [written("shop/db db.shop 90/TCP", old), web], egress: [listener("*/*")] },
    "127.0.0.1:80 http outbound|80||web.web",
    "127.0.0.1:90 tcp outbound|90||db.shop",
  ],
  [
    "where HTTP is older, TCP is left out",
    { services: [written("shop/api api.shop 90/HTTP", old), db] },
    "127.0.0.1:90 http outbound|90||api.shop",
  ],
  [
    "where TCP is older, HTTP is left out",
    { services: [written("shop/db db.shop 80/TCP", old), api] },
    "127.0.0.1:80 tcp outbound|80||db.shop",
  ],
  [
    "a protocol that is not known is TCP",
    { services: [written("shop/a a.shop 80/AUTO")] },
    "127.0.0.1:80 tcp outbound|80||a.shop",
  ],
  [
    "TLS of the application is TCP",
    { services: [written("shop/a a.shop 443/HTTPS", { isInternal: false })] },
    "127.0.0.1:443 tcp outbound|443||a.shop",
  ],
  [
    "a namespace selects its own",
    { services: [api, web, db], egress: [listener("shop/api.shop")] },
    "127.0.0.1:80 http outbound|80||api.shop",
  ],
  [
    "a dot is the client's namespace",
    { services: [api, web], egress: [listener("./*", "127.0.0.2")] },
    "127.0.0.2:80 http outbound|80||web.web",
    "127.0.0.2:90 tcp outbound|90||web.web",
  ],
  ["a tilde is nobody", { services: [api, web], egress: [listener("~/*")] }],
  [
    "nobody is called who is not exported",
    { services: [written("shop/api api.shop 80/HTTP", { exportTo: ["."] })] },
  ],
  [
    "a listener with a port takes the service's port of the same number",
    { services: [web], egress: [listener("90/TCP */*")] },
    "127.0.0.1:90 tcp outbound|90||web.web",
  ],
  [
    "a listener with a port takes the only one",
    { services: [api], egress: [listener("7000/HTTP */*")] },
    "127.0.0.1:7000 http outbound|80||api.shop",
  ],
  [
    "a listener with a port takes the first that speaks as it does",
    { services: [web], egress: [listener("7000/GRPC */*"), listener("7001/TCP */*")] },
    "127.0.0.1:7000 http outbound|80||web.web",
    "127.0.0.1:7001 tcp outbound|90||web.web",
  ],
  [
    "a TCP listener has one host, the oldest",
    { services: [api, written("shop/db db.shop 90/TCP", old)], egress: [listener("7000/TCP */*")] },
    "127.0.0.1:7000 tcp outbound|90||db.shop",
  ],
  [
    "a listener with a port has its address before one without",
    { services: [api, web], egress: [listener("*/*"), listener("80/HTTP web/web.web")] },
    "127.0.0.1:80 http outbound|80||web.web",
    "127.0.0.1:90 tcp outbound|90||web.web",
  ],
  [
    "of two listeners for one address the first holds",
    { services: [api, web], egress: [listener("80/HTTP shop/*"), listener("80/HTTP web/*")] },
    "127.0.0.1:80 http outbound|80||api.shop",
  ],
  [
    "the application's own address is left to it",
    {
      services: [api, db],
      ingress: [
        {
          port: { number: 8080, name: "p", protocol: "HTTP" },
          bind: "",
          defaultEndpoint: "127.0.0.1:80",
        },
      ],
    },
    "127.0.0.1:90 tcp outbound|90||db.shop",
  ],
  [
    "a nearer service hides another one of the host, port by port",
    { services: [written("shop/api api 80/TCP 90/TCP", old), written("web/api api 80/HTTP")] },
    "127.0.0.1:80 http outbound|80||api",
    "127.0.0.1:90 tcp outbound|90||api",
  ],
  [
    "two listeners that overlap call a host once, and the oldest service of it",
    {
      services: [written("shop/api api 80/HTTP", old), written("bank/api api 80/HTTP")],
      egress: [listener("bank/*"), listener("shop/*")],
    },
    "127.0.0.1:80 http outbound|80||api",
  ],
  [
    "a wildcard that nobody can look up is left out",
    {
      services: [
        written("a/n *.none.test 80/HTTP", { resolution: "NONE" }),
        written("a/d *.dns.test 80/HTTP", { resolution: "DNS", workloadSelector: new Map() }),
        written("a/s *.static.test 80/HTTP"),
      ],
    },
    "127.0.0.1:80 http outbound|80||*.static.test",
  ],
];

for (const [title, scene, ...listeners] of cases) {
  test(title, () => {
    assert.deepEqual(listenersOf(scene), listeners);
    const { services, ...more } = scene;
    assert.deepEqual(listenersOf({ ...more, services: services.toReversed() }), listeners);
  });
}

test("a cluster is of the oldest service where two listeners that overlap have one host of two", () => {
  const shop = written("shop/api api 80/HTTP", old);
  const egress = [listener("bank/*"), listener("shop/*")];
  const { called } = planOf({ services: [shop, written("bank/api api 80/HTTP")], egress });
  assert.equal(called.get("outbound|80||api")?.service, shop);
});

test("hosts are asked for by name, with the port, and by Istio's short forms unless another host is written so", () => {
  const services = [
    written("web/a a.web.svc.cluster.local 80/HTTP"),
    written("shop/b b.shop.svc.cluster.local 80/HTTP"),
    written("shop/c b.shop 80/HTTP"),
    written("shop/d *.x.test 80/HTTP"),
  ];
  const [port] = planOf({ services, egress: [listener("81/HTTP */*")] }).outbound;
  const domains = port?.routes.map((route) =>
    route.domains.filter((each) => !each.endsWith(":81")),
  );
  assert.deepEqual(domains, [
    ["*.x.test"],
    ["a.web.svc.cluster.local", "a", "a.web", "a.web.svc"],
    ["b.shop"],
    ["b.shop.svc.cluster.local", "b.shop.svc"],
  ]);
  const all = port?.routes.flatMap((route) => route.domains) ?? [];
  assert.equal(new Set(all).size, all.length);
  assert(all.includes("a.web:81"));
});
