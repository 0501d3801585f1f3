import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCsr } from "../src/core/x509/csr-create.ts";
import { LogReader } from "../src/edge/log/log-reader.ts";
import { requestCertificate } from "../src/edge/rpc/ca-client.ts";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { ensurePrivateDir } from "../src/edge/config/private-files.ts";
import { bearerAt } from "./corpus.ts";
import { BenchServer } from "./server.ts";
import { makeTokenIssuer, mintToken } from "./tokens.ts";

describe("BenchServer", { timeout: 60_000 }, () => {
  for (const isLogged of [true, false]) {
    it(`signs ${isLogged ? "with" : "without"} a log`, async () => {
      using directory = temporaryDirectory();
      const dataDir = join(directory.path, "data");
      await ensurePrivateDir(dataDir);
      const jwksFile = join(directory.path, "jwks.json");
      const tokens = await makeTokenIssuer(jwksFile, Date.now());
      const { signal } = new AbortController();
      {
        await using server = await BenchServer.start({
          dataDir,
          tokens,
          jwksFile,
          signal,
          ...(!isLogged && { variant: "unlogged" }),
        });
        const { csrPem } = await createCsr();
        const chain = await requestCertificate(
          {
            server: server.address,
            serverRoots: await readFile(join(dataDir, "root-cert.pem")),
            token: await mintToken(tokens, bearerAt(0), 0, 1),
            csrPem,
            ttlSeconds: 0,
            timeoutMs: 5_000,
          },
          signal,
        );
        assert.equal(chain.length, 2);
      }
      using reader = LogReader.open(dataDir);
      const { records } = reader.certificates.page({});
      const workloads = records.filter(({ intent }) => intent.artifact === "workload");
      assert.equal(workloads.length, isLogged ? 1 : 0);
    });
  }
});
