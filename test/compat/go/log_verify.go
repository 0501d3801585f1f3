package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// What a log says of itself: to be compared with what its tiles say.
type logProofs struct {
	Inclusion []struct {
		Index  int64
		Size   int64
		Hashes []tlog.Hash
	}
	Consistency []struct {
		OldSize int64
		NewSize int64
		Hashes  []tlog.Hash
	}
}

type countLine struct {
	Step  string `json:"step"`
	Count int64  `json:"count"`
}

// logVerify reads a log as a monitor does, from files named as C2SP tlog-tiles names them.
func logVerify(flags *flag.FlagSet) func(context.Context) error {
	dir := flags.String("dir", "", "of checkpoint, tiles, bundles, proofs.json, certificate.tlog-proof")
	key := flags.String("key", "", "verifier key of the log")
	return func(context.Context) error {
		verifier, err := note.NewVerifier(*key)
		if err != nil {
			return err
		}
		known := note.VerifierList(verifier)
		signed, err := os.ReadFile(filepath.Join(*dir, "checkpoint"))
		if err != nil {
			return err
		}
		tree, err := openCheckpoint(signed, known)
		if err != nil {
			return err
		}
		emit(countLine{"checkpoint", tree.N})
		// This reader believes no tile that does not lead to the root.
		hashes := tlog.TileHashReader(tree, tileFiles(*dir))
		if err := checkEntries(*dir, tree, hashes); err != nil {
			return err
		}
		if err := checkProofs(*dir, hashes); err != nil {
			return err
		}
		return checkProofFile(*dir, known)
	}
}

func openCheckpoint(signed []byte, known note.Verifiers) (tlog.Tree, error) {
	opened, err := note.Open(signed, known)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != opened.Sigs[0].Name {
		return tlog.Tree{}, fmt.Errorf("expected origin, size and root, got %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

type tileFiles string

func (dir tileFiles) Height() int { return tileHeight }

func (dir tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if data[i], err = os.ReadFile(filepath.Join(string(dir), c2spPath(tile))); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (dir tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Go's paths name the height, C2SP's do not; entries are at level -1, "data".
func c2spPath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func checkEntries(dir string, tree tlog.Tree, hashes tlog.HashReader) error {
	count := int64(0)
	for _, tile := range tlog.NewTiles(tileHeight, 0, tree.N) {
		if tile.L != 0 {
			continue
		}
		tile.L = -1
		bundle, err := os.ReadFile(filepath.Join(dir, c2spPath(tile)))
		if err != nil {
			return err
		}
		for ; len(bundle) > 0; count++ {
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			bundle = bundle[end:]
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, count)})
			if err != nil {
				return err
			}
			if stored[0] != tlog.RecordHash(entry) {
				return fmt.Errorf("entry %d has another hash in its tile", count)
			}
		}
	}
	if count != tree.N {
		return fmt.Errorf("expected %d entries, got %d", tree.N, count)
	}
	emit(countLine{"entries", count})
	return nil
}

func checkProofs(dir string, hashes tlog.HashReader) error {
	data, err := os.ReadFile(filepath.Join(dir, "proofs.json"))
	if err != nil {
		return err
	}
	var proofs logProofs
	if err := json.Unmarshal(data, &proofs); err != nil {
		return err
	}
	for _, each := range proofs.Inclusion {
		expected, err1 := tlog.ProveRecord(each.Size, each.Index, hashes)
		root, err2 := tlog.TreeHash(each.Size, hashes)
		leaf, err3 := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, each.Index)})
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		if err := tlog.CheckRecord(each.Hashes, each.Size, root, each.Index, leaf[0]); err != nil {
			return fmt.Errorf("entry %d of %d: %w", each.Index, each.Size, err)
		}
		if !slices.Equal(expected, each.Hashes) {
			return fmt.Errorf("entry %d of %d: another proof", each.Index, each.Size)
		}
	}
	emit(countLine{"inclusion", int64(len(proofs.Inclusion))})
	for _, each := range proofs.Consistency {
		expected, err1 := tlog.ProveTree(each.NewSize, each.OldSize, hashes)
		newRoot, err2 := tlog.TreeHash(each.NewSize, hashes)
		oldRoot, err3 := tlog.TreeHash(each.OldSize, hashes)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		err := tlog.CheckTree(each.Hashes, each.NewSize, newRoot, each.OldSize, oldRoot)
		if err != nil {
			return fmt.Errorf("tree %d before %d: %w", each.OldSize, each.NewSize, err)
		}
		if !slices.Equal(expected, each.Hashes) {
			return fmt.Errorf("tree %d before %d: another proof", each.OldSize, each.NewSize)
		}
	}
	emit(countLine{"consistency", int64(len(proofs.Consistency))})
	return nil
}

// checkProofFile reads our proof of a certificate as any C2SP tlog-proof, of the first entry in its extra data.
func checkProofFile(dir string, known note.Verifiers) error {
	data, err := os.ReadFile(filepath.Join(dir, "certificate.tlog-proof"))
	if err != nil {
		return err
	}
	head, signed, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("expected a tlog-proof, got %q", head)
	}
	extra, err1 := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	index, err2 := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	tree, err3 := openCheckpoint(signed, known)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	proof := tlog.RecordProof{}
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	entry := extra[2 : 2+binary.BigEndian.Uint16(extra)]
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	emit(countLine{"proof-file", index})
	return nil
}
