package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type madeCheckpoint struct {
	Step string `json:"step"`
	Key  string `json:"key"`
	Note string `json:"note"`
}

type madeProof struct {
	Step string `json:"step"`
	// Of the leaf, or of the old tree.
	Number int64       `json:"number"`
	Size   int64       `json:"size"`
	Hash   tlog.Hash   `json:"hash"`
	Root   tlog.Hash   `json:"root"`
	Proof  []tlog.Hash `json:"proof"`
}

type memoryHashes []tlog.Hash

func (stored memoryHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = stored[index]
	}
	return hashes, nil
}

// logMake makes a log of its own, for others to verify: every proof of the sizes that are asked for.
func logMake(flags *flag.FlagSet) func(context.Context) error {
	origin := flags.String("origin", "", "of the checkpoint")
	size := flags.Int64("size", 0, "of the tree")
	return func(context.Context) error {
		var stored memoryHashes
		for index := range *size {
			hashes, err := tlog.StoredHashes(index, fmt.Appendf(nil, "entry %d", index), stored)
			if err != nil {
				return err
			}
			stored = append(stored, hashes...)
		}
		root, err := tlog.TreeHash(*size, stored)
		if err != nil {
			return err
		}
		if err := emitCheckpoint(*origin, *size, root); err != nil {
			return err
		}
		for number := range *size {
			if err := emitProofs(number, *size, root, stored); err != nil {
				return err
			}
		}
		return nil
	}
}

func emitCheckpoint(origin string, size int64, root tlog.Hash) error {
	privateKey, key, err1 := note.GenerateKey(rand.Reader, origin)
	signer, err2 := note.NewSigner(privateKey)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	emit(madeCheckpoint{"checkpoint", key, string(signed)})
	return err
}

// emitProofs proves that the entry of this number is in the tree, and that a tree of one entry more comes before it.
func emitProofs(number, size int64, root tlog.Hash, stored memoryHashes) error {
	inclusion, err1 := tlog.ProveRecord(size, number, stored)
	leaf, err2 := stored.ReadHashes([]int64{tlog.StoredHashIndex(0, number)})
	growth, err3 := tlog.ProveTree(size, number+1, stored)
	oldRoot, err4 := tlog.TreeHash(number+1, stored)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	emit(madeProof{"inclusion", number, size, leaf[0], root, inclusion})
	emit(madeProof{"consistency", number + 1, size, oldRoot, root, growth})
	return nil
}
