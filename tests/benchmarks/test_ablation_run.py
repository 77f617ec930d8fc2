import copy
from pathlib import Path

import ir_measures
import pytest
import torch
from ablations.backbone import (
    BackboneConfig,
    language_model_loss,
    make_decoder,
    pack,
    pretrain,
    sampled_loss,
)
from ablations.cost import costs
from ablations.run import EvalSet, Model, RunConfig, TextEncoder, Texts, make_model, measure, run_variant
from ablations.variants import VARIANTS

from c2vsearch.evaluation.datasets import Questions
from c2vsearch.training.pairs import Pair
from tests.tiny_models import EOS, VOCABULARY, WORDS, make_spec, make_tokenizer
from tests.tiny_models import make_model as make_tiny

CONFIG = RunConfig(steps=3, pairs=4, train_tokens=6, eval_tokens=8, instruction="query :")
BACKBONE = BackboneConfig(layers=2, heads=2, intermediate=32, steps=6, blocks=2, block_tokens=8, sampled_tokens=8)
PROSE = [" ".join(WORDS[number % 18 :]) for number in range(200)]


@pytest.fixture
def texts() -> Texts:
    return Texts(make_tokenizer(), cls=VOCABULARY["[CLS]"], eos=EOS)


def variant(name: str, texts: Texts, *, frozen: bool = True) -> Model:
    tiny = make_tiny(make_spec("llama"))
    encoder = TextEncoder(tiny.encoder, texts, frozen=frozen) if VARIANTS[name].context else None
    tiny.decoder.get_input_embeddings().requires_grad_(False)
    return make_model(VARIANTS[name], tiny.decoder, texts, encoder, CONFIG, seed=1)


def small_set() -> EvalSet:
    documents = {f"d{number}": " ".join(WORDS[number : number + 3]) for number in range(12)}
    questions = Questions({"q1": "quick fox", "q2": "lazy dog"}, {"q1": {"d1": 1, "d2": 1}, "q2": {"d5": 2}})
    return EvalSet("small", documents, questions)


def pairs() -> dict[str, list[Pair]]:
    return {"words": [Pair(WORDS[number], " ".join(WORDS[number : number + 4])) for number in range(14)]}


def test_sampled_loss_over_every_token_is_the_whole_softmax() -> None:
    hidden, table = torch.randn(5, 8), torch.randn(12, 8)
    targets = torch.tensor([3, 3, 0, 11, 7])
    torch.manual_seed(0)
    found = sampled_loss(hidden, targets, table, sampled=2000)  # every one of 12 tokens is drawn
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(hidden @ table.T, targets))


def test_prose_is_packed_in_a_seeded_order_with_ends_between() -> None:
    tokenizer = make_tokenizer()
    blocks = pack(["fox", "dog"], tokenizer, blocks=1, block_tokens=4, end=EOS, seed=0)
    assert sorted(blocks[0].tolist()) == sorted([VOCABULARY["fox"], EOS, VOCABULARY["dog"], EOS])
    with pytest.raises(SystemExit, match="4 tokens; expected 8"):
        pack(["fox", "dog"], tokenizer, blocks=2, block_tokens=4, end=EOS, seed=0)


def test_a_stopped_pretraining_continues_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
    whole, stopped = make_decoder(BACKBONE, table), make_decoder(BACKBONE, table)
    reached = pretrain(whole, PROSE, make_tokenizer(), BACKBONE, end=EOS, out=tmp_path / "whole")
    calls = iter(range(100))

    def fails_once(*args: object, **options: object) -> torch.Tensor:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return language_model_loss(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("ablations.backbone.language_model_loss", fails_once)
    monkeypatch.setattr("ablations.backbone.SAVE_EVERY", 2)
    with pytest.raises(KeyboardInterrupt):
        pretrain(stopped, PROSE, make_tokenizer(), BACKBONE, end=EOS, out=tmp_path / "stopped")
    fresh = make_decoder(BACKBONE, table)
    assert pretrain(fresh, PROSE, make_tokenizer(), BACKBONE, end=EOS, out=tmp_path / "stopped") == reached
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(fresh.state_dict()[name], value, msg=name)
    assert torch.equal(whole.get_input_embeddings().weight, table)


def test_a_backbone_of_other_settings_is_refused(tmp_path: Path) -> None:
    table = torch.randn(40, 16)
    pretrain(make_decoder(BACKBONE, table), PROSE, make_tokenizer(), BACKBONE, end=EOS, out=tmp_path)
    other = BackboneConfig(layers=2, heads=2, intermediate=32, steps=7, blocks=2, block_tokens=8, sampled_tokens=8)
    with pytest.raises(SystemExit, match="was trained with"):
        pretrain(make_decoder(other, table), PROSE, make_tokenizer(), other, end=EOS, out=tmp_path)


def test_ndcg_is_that_of_ir_measures_on_a_full_ranking() -> None:
    one = small_set()
    generator = torch.Generator().manual_seed(2)
    documents = torch.nn.functional.normalize(torch.randn(12, 6, generator=generator), dim=1)
    queries = torch.nn.functional.normalize(torch.randn(2, 6, generator=generator), dim=1)
    run = {
        query: {f"d{number}": float(queries[row] @ documents[number]) for number in range(12)}
        for row, query in enumerate(("q1", "q2"))
    }
    expected = {m.query_id: m.value for m in ir_measures.iter_calc([ir_measures.nDCG @ 10], one.questions.qrels, run)}
    assert measure(documents, queries, one) == pytest.approx([expected["q1"], expected["q2"]])


@pytest.mark.parametrize("name", ["causal2vec", "echo"])
def test_a_run_is_a_function_of_its_seed(name: str, texts: Texts) -> None:
    first, again = (run_variant(variant(name, texts), pairs(), {}, [small_set()], seed=3) for _ in range(2))
    other = run_variant(variant(name, texts), pairs(), {}, [small_set()], seed=4)
    assert first["nDCG@10"] == again["nDCG@10"]
    assert first["loss_last"] == again["loss_last"] != other["loss_last"]


def test_a_frozen_encoder_stays_and_the_rest_moves(texts: Texts) -> None:
    model = variant("causal2vec", texts)
    assert model.encoder is not None
    before, decoder = copy.deepcopy(model.encoder.encoder.state_dict()), copy.deepcopy(model.embedder.state_dict())
    result = run_variant(model, pairs(), {}, [small_set()], seed=0)
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.encoder.state_dict().items())
    moved = {name for name, value in model.embedder.state_dict().items() if not torch.equal(value, decoder[name])}
    assert {name for name in decoder if "embed_tokens" not in name} == moved
    sizes = {name: value.numel() for name, value in decoder.items()}
    assert result["parameters_trained"] == sum(sizes[name] for name in moved)


def test_an_encoder_trained_along_moves_but_for_its_token_vectors(texts: Texts) -> None:
    model = variant("causal2vec", texts, frozen=False)
    assert model.encoder is not None
    before = copy.deepcopy(model.encoder.encoder.state_dict())
    run_variant(model, pairs(), {}, [small_set()], seed=0)
    still = {name for name, value in model.encoder.encoder.state_dict().items() if torch.equal(value, before[name])}
    assert "embeddings.word_embeddings.weight" in still
    assert not {name for name in still if name.endswith("dense.weight")}


def test_remembered_vectors_are_those_of_the_encoder(texts: Texts) -> None:
    model = variant("causal2vec", texts)
    assert model.encoder is not None
    words = ["the quick fox", "dog", "the quick fox"]
    remembered = model.encoder.vectors(words, 8, remember=True)
    with torch.no_grad():
        fresh = torch.cat([model.encoder.vectors([word], 8, remember=False) for word in words])
    torch.testing.assert_close(remembered, fresh, atol=0.05, rtol=0.05)  # bfloat16


def test_costs_count_what_each_variant_reads(texts: Texts) -> None:
    names = ("causal2vec", "last", "echo")
    found = costs({name: variant(name, texts) for name in names}, text_tokens=8, texts=2, rounds=1)
    assert {name: found[name]["decoder_tokens"] for name in names} == {"causal2vec": 10, "last": 9, "echo": 17}
    assert {name: found[name]["encoder_tokens"] for name in names} == {"causal2vec": 10, "last": 0, "echo": 0}
    assert found["causal2vec"]["flops"] > found["last"]["flops"]
    assert all(found[name]["seconds"] > 0 for name in names)
