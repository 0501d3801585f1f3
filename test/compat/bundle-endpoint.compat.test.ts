/** go-spiffe's federation client, curl and OpenSSL at the bundle endpoint of a `server`. */

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { portcullis, startServer, type ServerProcess } from "../server/portcullis-process.ts";
import { TOKEN_KEY } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, TEST_ISSUER } from "../support/tokens.ts";
import { sClient } from "./s-client.ts";
import { runStock, type StockStep } from "./stock-clients.ts";

interface Scene {
  readonly url: string;
  readonly roots: string;
  /** What `bundle show` said. */
  readonly document: string;
}

interface BundleLine extends StockStep {
  readonly equal: boolean;
  readonly sequence: number;
  readonly refresh_hint_seconds: number;
  readonly x509: readonly string[];
  readonly jwt: readonly string[];
}

type Profile = Readonly<Record<string, string>>;

const trustDomain = "mesh.test";
const endpointId = `spiffe://${trustDomain}/portcullis/server`;

for (const isWeb of [true, false]) {
  const title = `the bundle endpoint with profile ${isWeb ? "https_web" : "https_spiffe"}`;
  test(title, { timeout: 40_000 }, async (t) => {
    using directory = temporaryDirectory();
    const web = isWeb ? makeWebCertificate(directory.path) : undefined;
    await using server = await startBundleServer(directory.path, web?.flags ?? []);
    const roots = web?.certificate ?? join(directory.path, "data", "root-cert.pem");
    const scene = await openScene(directory.path, server, roots);
    const profile: Profile = isWeb
      ? { "web-roots": roots }
      : { "endpoint-id": endpointId, "spiffe-roots": roots };
    await t.test("gives go-spiffe what `bundle show` says", async () => {
      const [line] = await fetchBundle(scene, profile);
      assert(line?.equal === true, JSON.stringify(line));
      assert.deepEqual([line.x509.length, line.jwt.length], [1, 1]);
      assert.equal(line.refresh_hint_seconds, 300);
      assert(line.sequence > 0);
    });
    for (const [what, wrong, reason] of wrongProfiles(directory.path, isWeb, roots)) {
      await t.test(`is refused by go-spiffe that expects ${what}`, async () => {
        const [line] = await fetchBundle(scene, wrong);
        assert.match(line?.error ?? "", reason);
      });
    }
    await t.test("proves itself to curl and OpenSSL by a DNS name", async () => {
      await provesName(scene);
    });
    if (isWeb) return;
    await t.test("has exactly one SPIFFE ID, that of the control plane", async () => {
      const said = await sClient(["-connect", new URL(scene.url).host, "-CAfile", roots]);
      const [pem = ""] =
        /-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/.exec(said) ?? [];
      const names = new X509Certificate(pem).subjectAltName?.split(", ") ?? [];
      assert.deepEqual(
        names.filter((name) => name.startsWith("URI:")),
        [`URI:${endpointId}`],
      );
    });
  });
}

/** What each must be refused for, though all else is right. */
function wrongProfiles(
  directory: string,
  isWeb: boolean,
  roots: string,
): readonly (readonly [what: string, Profile, reason: RegExp])[] {
  const stranger = makeWebCertificate(directory, "stranger").certificate;
  const unknown = /certificate signed by unknown authority/;
  if (isWeb) return [["another PKI", { "web-roots": stranger }, unknown]];
  const other = `spiffe://${trustDomain}/other`;
  return [
    ["other roots", { "endpoint-id": endpointId, "spiffe-roots": stranger }, unknown],
    ["another endpoint", { "endpoint-id": other, "spiffe-roots": roots }, /unexpected ID/],
  ];
}

async function fetchBundle(
  { url, document }: Scene,
  profile: Profile,
): Promise<readonly BundleLine[]> {
  const flags = { url, "trust-domain": trustDomain, compare: document, ...profile };
  return runStock<BundleLine>("bundle", flags);
}

async function provesName({ url, roots, document }: Scene): Promise<void> {
  const { port } = new URL(url);
  const target = `https://localhost:${port}/`;
  const resolve = ["--resolve", `localhost:${port}:127.0.0.1`];
  const args = ["--silent", "--fail", "--cacert", roots, ...resolve, target];
  const { stdout } = await promisify(execFile)("curl", args);
  assert.deepEqual(JSON.parse(stdout), JSON.parse(readFileSync(document, "utf8")));
  const connect = ["-connect", `127.0.0.1:${port}`, "-servername", "localhost"];
  const said = await sClient([...connect, "-verify_hostname", "localhost", "-CAfile", roots]);
  assert.match(said, /Verification: OK/);
}

async function openScene(directory: string, server: ServerProcess, roots: string): Promise<Scene> {
  const { bundle: url } = server.endpoints;
  assert(url !== undefined);
  const own = ["--data-dir", join(directory, "data")];
  const shown = await portcullis(["bundle", "show", "--format", "spiffe", ...own]);
  assert.equal(shown.status, 0, shown.stderr);
  const document = join(directory, "bundle.json");
  writeFileSync(document, shown.stdout);
  return { url, roots, document };
}

async function startBundleServer(
  directory: string,
  flags: readonly string[],
): Promise<ServerProcess> {
  const jwks = join(directory, "jwks.json");
  writeFileSync(jwks, jwksDocument(TOKEN_KEY));
  const listen = ["listen", "metrics-listen", "bundle-listen"].map(
    (name) => `--${name}=127.0.0.1:0`,
  );
  const tokens = ["--token-issuer", TEST_ISSUER, "--jwks", jwks, "--trust-domain", trustDomain];
  return startServer(join(directory, "data"), ["server", ...listen, ...tokens, ...flags]);
}

interface WebCertificate {
  /** Self-signed, so it is its own root. */
  readonly certificate: string;
  readonly flags: readonly string[];
}

function makeWebCertificate(directory: string, name = "web"): WebCertificate {
  const [certificate, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const out = ["-keyout", key, "-out", certificate, "-days", "1", "-subj", `/CN=${name}`];
  execFileSync("openssl", ["req", "-x509", ...newKey, ...out, ...names], { stdio: "pipe" });
  return { certificate, flags: ["--bundle-cert", certificate, "--bundle-key", key] };
}
