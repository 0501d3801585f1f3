/** The configuration file: YAML that an operator wrote, or that somebody put in its place. */

import assert from "node:assert/strict";
import { parseConfigFile } from "../../../src/edge/config/config-file.ts";
import { resolveServerConfig } from "../../../src/edge/config/server-config.ts";
import { formatYaml } from "../../../src/edge/config/yaml.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const settings = {
  dataDir: "/data",
  listen: "[::]:15012",
  trustDomain: "example.org",
  tokens: { issuer: "https://issuer", jwks: "https://issuer/jwks", audiences: ["istio-ca"] },
  certificates: { defaultTtl: "12h", maxTtl: "30d", renewByCertificate: true },
  ca: { dir: "/ca", key: "pkcs11:token=mesh;object=ca?module-path=/usr/lib/p11.so" },
  nodeAgents: ["spiffe://cluster.local/ns/istio-system/sa/node-agent"],
  limits: { callsInFlight: 64 },
};
const identities = {
  oidc: [
    {
      issuer: "https://ci.example",
      jwks: "https://ci.example/jwks",
      audiences: ["portcullis"],
      rules: [{ match: { "job.ref": ["main", "release"] }, spiffeId: "/ci/{owner}/{job.name}" }],
    },
  ],
  x5c: [
    {
      name: "corp",
      roots: "/roots.pem",
      audiences: ["portcullis"],
      rules: [{ match: { dns: "*.web.example" }, spiffeId: "/web/{dns.label}" }],
    },
  ],
};

export const config: FuzzTarget = {
  name: "config",
  shape: "text",
  // An operator's file of 64 KiB with nothing but keys: each is compared with each, and told of with its line.
  msMax: 2_000,
  dictionary: [
    "&a ",
    "*a",
    "<<: ",
    "!!js/function ",
    "---\n",
    "? ",
    "|\n",
    "{a: [",
    "\t",
    "__proto__: ",
    "constructor: ",
    "identities:\n",
    "1e999",
    "0x7f",
    "~",
    "{dns.label}",
    "pkcs11:",
  ],
  seeds: () => ({
    settings: formatYaml(settings),
    identities: formatYaml({ dataDir: "/data", identities }),
  }),
  check: (input) => {
    const text = textOf(input);
    const file = valueOrTyped(() => parseConfigFile("config.yaml", text));
    if (file === undefined) return false;
    assert.equal(
      Reflect.get({}, "dataDir"),
      undefined,
      "the prototype of all objects is as it was",
    );
    return valueOrTyped(() => resolveServerConfig([file], file.identities)) !== undefined;
  },
};
