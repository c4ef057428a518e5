from ensemble.seeds import derive_seed


def test_golden_value() -> None:
    # A change here changes every training run and every fold file.
    assert derive_seed(0, "fold", 2) == 9074452976109646439


def test_names_and_seeds_give_different_streams() -> None:
    seeds = {derive_seed(seed, name, k) for seed in range(3) for name in ("fold", "epoch") for k in range(5)}
    assert len(seeds) == 30
    assert all(0 <= seed < 2**63 for seed in seeds)
