#include "dist/launch.hpp"

#include <map>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace sst::dist {
namespace {

using Variables = std::map<std::string, std::string>;
using By = Launch::By;

Launch launch_of(const Variables& variables) {
  return detect_launch([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

Variables without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

const Variables kTorchrun = {{"RANK", "5"},          {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},    {"LOCAL_WORLD_SIZE", "4"},
                             {"MASTER_ADDR", "n01"}, {"MASTER_PORT", "29400"}};
const Variables kSlurm = {{"SLURM_PROCID", "3"},
                          {"SLURM_NTASKS", "4"},
                          {"SLURM_LOCALID", "1"},
                          {"SLURM_NTASKS_PER_NODE", "2"},
                          {"SLURM_JOB_ID", "40007"},
                          {"SLURM_STEP_ID", "0"},
                          {"SLURM_JOB_NODELIST", "n[03-04]"}};

}  // namespace

TEST_CASE("one process where no launcher has set anything", "[dist]") {
  CHECK(launch_of({}).by == By::kSingle);
  CHECK(launch_of({}).is_single());
  CHECK(
      launch_of({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}).is_single());  // a batch script
  Variables one_task = kSlurm;
  one_task["SLURM_NTASKS"] = "1";
  CHECK(launch_of(one_task).is_single());
  CHECK(launch_of({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}).by == By::kSingle);
}

TEST_CASE("torchrun's variables", "[dist]") {
  const Launch launch = launch_of(kTorchrun);
  CHECK(launch.by == By::kTorchrun);
  CHECK(launch.rank == 5);
  CHECK(launch.size == 8);
  CHECK(launch.local_rank == 1);
  CHECK(launch.local_size == 4);
  CHECK(launch.host == "n01");
  CHECK(launch.port == 29400);
  CHECK_FALSE(launch.store_is_there);
  Variables agent = kTorchrun;
  agent["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  CHECK(launch_of(agent).store_is_there);
}

TEST_CASE("Slurm's variables, the leader on the first node", "[dist]") {
  const Launch launch = launch_of(kSlurm);
  CHECK(launch.by == By::kSlurm);
  CHECK(launch.rank == 3);
  CHECK(launch.size == 4);
  CHECK(launch.local_rank == 1);
  CHECK(launch.host == "n03");
  CHECK(launch.port == 20007);
  CHECK(launch.port_tries == 16);
  CHECK(launch.job == "40007.0.0");
  Variables requeued = kSlurm;
  requeued["SLURM_RESTART_COUNT"] = "2";
  CHECK(launch_of(requeued).job == "40007.0.2");
}

TEST_CASE("MPI's variables, the leader found through its file", "[dist]") {
  const Variables open_mpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                              {"OMPI_COMM_WORLD_SIZE", "2"},
                              {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                              {"PMIX_NAMESPACE", "prterun-vm-77@1"}};
  const Launch launch = launch_of(open_mpi);
  CHECK(launch.by == By::kMpi);
  CHECK(launch.rank == 1);
  CHECK(launch.size == 2);
  CHECK(launch.local_rank == 1);
  CHECK(launch.host.empty());
  CHECK(launch.job == "prterun-vm-77.1");
  CHECK(launch_of({{"PMI_RANK", "2"}, {"PMI_SIZE", "3"}, {"PMI_JOBID", "a/b"}}).job == "a.b");
  CHECK_THROWS_WITH(launch_of(without(open_mpi, "PMIX_NAMESPACE")), ContainsSubstring("PMI_JOBID"));
}

TEST_CASE("torchrun's variables come before Slurm's", "[dist]") {
  Variables both = kSlurm;
  both.insert(kTorchrun.begin(), kTorchrun.end());
  CHECK(launch_of(both).by == By::kTorchrun);
}

TEST_CASE("a group that is half set is refused, naming what is missing", "[dist]") {
  for (const char* name : {"WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(launch_of(without(kTorchrun, name)), ContainsSubstring(std::string("but ") + name + " is not"));
    CHECK_THROWS_AS(launch_of(without(kTorchrun, name)), DistributedError);
  }
  for (const char* name : {"SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID", "SLURM_JOB_NODELIST"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(launch_of(without(kSlurm, name)), ContainsSubstring(std::string("but ") + name + " is not"));
  }
  CHECK_THROWS_WITH(launch_of({{"OMPI_COMM_WORLD_RANK", "0"}}), ContainsSubstring("OMPI_COMM_WORLD_SIZE is not"));
}

TEST_CASE("numbers that make no sense are refused", "[dist]") {
  const auto with = [](Variables variables, const char* name, const char* value) {
    variables[name] = value;
    return variables;
  };
  CHECK_THROWS_WITH(launch_of(with(kTorchrun, "RANK", "eight")), ContainsSubstring("RANK is 'eight'"));
  CHECK_THROWS_WITH(launch_of(with(kTorchrun, "RANK", "8")), ContainsSubstring("RANK is 8, but WORLD_SIZE is 8"));
  CHECK_THROWS_WITH(launch_of(with(kTorchrun, "RANK", "-1")), ContainsSubstring("RANK is '-1'"));
  CHECK_THROWS_WITH(launch_of(with(kTorchrun, "MASTER_PORT", "70000")), ContainsSubstring("no port"));
}

TEST_CASE("lists of nodes are expanded as Slurm writes them", "[dist]") {
  using Nodes = std::vector<std::string>;
  CHECK(expand_node_list("n1") == Nodes{"n1"});
  CHECK(expand_node_list("n[01-04,7]") == Nodes{"n01", "n02", "n03", "n04", "n7"});
  CHECK(expand_node_list("a[1-2],login,b[9-10]") == Nodes{"a1", "a2", "login", "b9", "b10"});
  CHECK(expand_node_list("r[1-2]n[8-9]x") == Nodes{"r1n8x", "r1n9x", "r2n8x", "r2n9x"});
  for (const char* bad : {"", "n[1-", "n1]", "n[2-1]", "n[a]", "n[]", "a,,b", "n[1-99999999999]", "n[0-4294967295]"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(expand_node_list(bad), DistributedError);
  }
}

}  // namespace sst::dist
