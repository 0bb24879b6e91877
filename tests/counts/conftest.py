def pytest_addoption(parser):
    parser.addoption("--write-counts", action="store_true", help="write the table of counts anew")
