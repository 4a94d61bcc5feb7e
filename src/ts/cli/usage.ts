// The text that --help prints.
export const USAGE = `nidus-wasm COMMAND DIR [options]       works on a store of native nidus or of this package

  inspect DIR                            shows what the store holds
  verify DIR                             checks every byte; ends with 1 if it finds damage
  search DIR --text 'words'              finds the documents that have words of a text,
         or --vector '[0.1, ...]'        or are nearest to a vector,
         or --like ID                    or to a document; with --text as well, both together
         [--top 10] [--offset 0] [--collection NAME] [--filter JSON] [--min-score X]
         [--attrs KEY,...]               returns these attributes alone; --attrs '' returns none
         [--group-by KEY[:SIZE]]         finds groups of documents with the same value
         [--facets KEY[:LIMIT],...]      counts the values of all documents that are found
         [--explain]                     says how many documents have the attributes of the filter, and of which types
     with --text also
         [--fusion 0.4 | rrf]            how words and vector are put together: the share of the words, or by ranks
         [--match any | all]             one of the words, or all of them
         [--prefix]                      also words that begin with the last word
         [--fuzzy | --fuzzy=every]       also words that differ by a letter: for words that no document has, or for all
         [--forms en]                    also other forms of English words
         [--fields NAME,...]             searches these attributes alone
         [--highlight | --highlight=NAME,...]  shows the best passage, and with --json where the words are
  text DIR [COLLECTION]                  shows in which attributes --text finds words
       DIR COLLECTION --fields NAME[:WEIGHT],...   sets it, for instance --fields title:3,body
       DIR COLLECTION --remove           removes it
  import DIR FILE.jsonl                  reads lines { "id", "vector", "attrs"?, "collection"? },
         [--collection NAME]             and files that export wrote
         [--batch 1000]
  import DIR FILE.npy                    reads a matrix; --ids names a text file with one id a line
         [--ids FILE] [--collection NAME] [--batch 1000]
  import DIR FILE.tar [--replace]        reads a whole store from a tar, or from a directory
  update DIR FILE.jsonl                  changes attributes and no vectors: lines
         [--collection NAME]             { "id", "attrs"?, "remove"?: [names], "collection"? }
         [--batch 1000]
  export DIR FILE                        writes the store as a tar, or its documents as lines of JSON (.jsonl);
                                         - writes the tar to stdout. An older file of that name is replaced
                                         once the new file is whole.
  compact DIR [--drop-unnamed]           rewrites the store without dead rows; with --drop-unnamed also without
                                         rows that the log does not name

  --json                                 prints one line of JSON instead of a table
  --help, --version

A name with a comma in it is written in a list in JSON: --fields '["a,b"]'.
inspect, verify, search, text without options, and export change nothing in the store.
The exit code is 0 if all is well, 1 if verify found damage, 2 if the call is wrong, and 3 if the store cannot be used
(the message then begins with the code of the error).
`
